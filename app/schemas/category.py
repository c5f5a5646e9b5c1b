"""Categories on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.shape import Body, Row, unsent

Name = Annotated[str, Field(min_length=1, max_length=100, examples=["Lamps"])]
Description = Annotated[str, Field(max_length=500, examples=["For desks, walls and ceilings."])]


class CategoryCreate(Body):
    """A new category."""

    name: Name
    description: Description | None = None


class CategoryUpdate(Body):
    """What may change of a category."""

    name: Name = unsent()
    description: Description | None = None


class CategoryResponse(Row):
    """A category."""

    id: int
    name: str
    description: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class CategoryBrief(Row):
    """What sort of thing a product is."""

    id: int
    name: str
