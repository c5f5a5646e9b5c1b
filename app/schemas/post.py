"""Posts on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.shape import Body, Id, Row, unsent

Title = Annotated[str, Field(min_length=1, max_length=200, examples=["Notes on the engine"])]
# What MariaDB's TEXT holds in the worst case: 64 KiB of four-byte characters.
Text = Annotated[str, Field(max_length=16_000, examples=["It weaves algebraic patterns."])]


class PostCreate(Body):
    """A new post of a user; a draft unless it says otherwise."""

    user_id: Id
    title: Title
    body: Text
    published: bool = False


class PostUpdate(Body):
    """What may change of a post; its author stays."""

    title: Title = unsent()
    body: Text = unsent()
    published: bool = unsent()


class PostResponse(Row):
    """A post."""

    id: int
    user_id: int
    title: str
    body: str
    published: bool
    version: int
    created_at: datetime
    updated_at: datetime
