"""A row's history on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

Operation = Literal["create", "update", "replace", "delete", "restore", "purge"]


class StoredEntry(BaseModel):
    """An entry as its table has it: the changes of all fields, as the text that they are kept as."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    operation: str
    changed_at: datetime
    principal: str | None
    request_id: str | None
    version: int | None
    changes: str


class FieldChange(BaseModel):
    """What a field held before and after a change; a secret tells neither."""

    before: Any = Field(default=None, description="null where there was no row yet", examples=[19.9])
    after: Any = Field(default=None, description="null where there is no row any more", examples=[17.5])


class HistoryEntry(BaseModel):
    """One change of a row."""

    id: int = Field(description="Goes up with time", examples=[1])
    operation: Operation = Field(description="`purge` removed for good what is otherwise deleted softly")
    changed_at: datetime
    principal: str | None = Field(description="Who; null for the application itself", examples=["account:1"])
    request_id: str | None = Field(description="`X-Request-ID` of the request that made it")
    version: int | None = Field(description="Of the row after it")
    changes: dict[str, FieldChange] = Field(description="The fields that it changed")


def history_page(label: str, members: dict[str, Any]) -> type[BaseModel]:
    """Make the schema of a page of entries.

    Args:
        label: of a row, e.g. `Product`.
        members: what stands beside the entries, by name.
    """
    return create_model(f"{label}History", history=(list[HistoryEntry], ...), **members)
