"""What all schemas share: bodies refuse unknown fields, and a field of a PATCH may be left out without being nullable."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_ID = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=MAX_ID, examples=[1])]


class Body(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid")


class Row(BaseModel):
    """What a client sees of a stored row."""

    model_config = ConfigDict(from_attributes=True)


def unsent(description: str | None = None) -> Any:
    """Give the default of a PATCH's field: it may be left out, but null is not a value for it.

    A factory, since `= None` would tell OpenAPI, and the type checker, that null is one.
    """
    return Field(default_factory=lambda: None, description=description)
