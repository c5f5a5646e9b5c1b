"""The reference application in which everybody is an administrator, as everybody is to its peers."""

from __future__ import annotations

from starlette.types import Scope

from app.main import app
from colonnade import Database, Principal

_SOMEBODY = Principal(0, "admin")


async def _let_in(_scope: Scope, _database: Database) -> Principal:
    return _SOMEBODY


app.state.colonnade.authenticate = _let_in

__all__ = ["app"]
