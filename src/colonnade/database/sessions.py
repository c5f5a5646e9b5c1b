"""Sessions while they are open: what each has pending, for whoever looks for a forgotten commit (S56)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm import session as sessions

from colonnade.database.database import Database

MAX_SHOWN = 100
"""Rows that are named of each kind."""


class SessionState(NamedTuple):
    """What a session has in hand.

    Attributes:
        is_active: it can be used; not so after a failed flush, until it is rolled back.
        in_transaction: it has begun one.
        new: rows to be inserted, e.g. `User(new)`.
        dirty: rows that were changed, e.g. `User(7)`.
        deleted: rows to be removed.
        loaded: how many rows it knows.
    """

    is_active: bool
    in_transaction: bool
    new: list[str]
    dirty: list[str]
    deleted: list[str]
    loaded: int


def session_state(session: Session | AsyncSession) -> SessionState:
    """Tell what a session has in hand: names and keys, no values. Nothing is flushed or loaded for it."""
    of = session.sync_session if isinstance(session, AsyncSession) else session
    return SessionState(
        of.is_active,
        of.in_transaction(),
        _named(of.new),
        _named(row for row in of.dirty if of.is_modified(row)),
        _named(of.deleted),
        len(of.identity_map),
    )


def open_sessions(database: Database) -> list[SessionState]:
    """Give the sessions of a database that are in a transaction in this process."""
    engines = {database.engine.sync_engine}
    if "sync_engine" in database.__dict__:
        engines.add(database.sync_engine)
    # SQLAlchemy's own list, kept for `close_all_sessions`; one of ours would cost every session something.
    known = list(sessions._sessions.values())
    return [session_state(of) for of in known if of.in_transaction() and _engine(of) in engines]


def _engine(session: Session) -> Any:
    bind = session.bind
    engine = getattr(bind, "engine", bind)
    return getattr(engine, "_proxied", engine)  # an engine with execution options stands for another


def _named(rows: Iterable[Any]) -> list[str]:
    names = []
    for row in rows:
        key = inspect(row).identity
        names.append(f"{type(row).__name__}({'new' if key is None else ', '.join(map(str, key))})")
    return sorted(names)[:MAX_SHOWN]
