"""The body and the answer of a batch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_OPERATIONS = 100


class BatchOperation(BaseModel):
    """One request of a batch. Anywhere in its body, `{"$ref": "order.id"}` stands for a member of an earlier result."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["order"])]
    method: Literal["POST", "PATCH", "PUT", "DELETE"]
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2_000,
            description="As of the request itself; `{order.id}` in it stands for a member of an earlier result",
            examples=["/api/v1/orders"],
        ),
    ]
    headers: Annotated[dict[str, str], Field(description="`If-Match` and the like", max_length=20)] = {}
    body: dict[str, Any] | None = None


class BatchBody(BaseModel):
    """Operations that are done in their order, all of them or none."""

    model_config = ConfigDict(extra="forbid")

    operations: Annotated[list[BatchOperation], Field(min_length=1, max_length=MAX_OPERATIONS)]
    dry_run: Annotated[bool, Field(strict=True, description="Answer what would have happened, and store nothing")] = (
        False
    )


class BatchResult(BaseModel):
    """What one operation answered."""

    id: str
    status: int
    headers: dict[str, str]
    body: Any = None


class BatchResults(BaseModel):
    """One result per operation, in their order."""

    results: list[BatchResult]
