"""Asking for jobs in the caller's transaction: stored with it, or not at all; on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from colonnade import Change, Database, JobRun, Service, job, job_table
from colonnade.core.errors import ConflictError
from colonnade.models.jobs import JOBS, JobState
from tests.library import Shelf, library, new_book, problem

pytestmark = pytest.mark.anyio

METADATA = sa.MetaData()
job_table(METADATA)


@job(name="note")
async def note(run: JobRun, text: str) -> None:
    """Do nothing."""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the table of jobs alone."""
    database = Database(database_url, metadata=METADATA)
    try:
        await database.start(create_tables=True)
        yield database
    finally:
        await database.dispose()


async def rows(database: Database) -> list[Any]:
    """Give the jobs, oldest first."""
    async with database.session(read_only=True) as session:
        return list(await session.execute(sa.select(JOBS).order_by(JOBS.c.id)))


async def test_a_job_is_stored_with_its_transaction(database: Database) -> None:
    """S27, C24: a commit makes it durable, and an end without one leaves nothing."""
    async with database.unit_of_work() as unit:
        await note.enqueue(unit, "dropped")
    async with database.unit_of_work() as unit:
        id = await note.enqueue(unit.session, "kept")
        await unit.commit()
    (row,) = await rows(database)
    assert (row.id, row.name, row.arguments, row.state) == (id, "note", {"text": "kept"}, JobState.QUEUED)
    assert row.due_at == row.created_at


async def test_a_job_may_wait_for_its_time(database: Database) -> None:
    """`at` says when it may run."""
    later = datetime(2030, 1, 1, 12, tzinfo=UTC)
    async with database.unit_of_work() as unit:
        await note.request("later").at(later).enqueue(unit)
        await unit.commit()
    assert [row.due_at for row in await rows(database)] == [later]


async def test_a_key_is_stored_once(database: Database) -> None:
    """While one job with a key waits, another one is not stored, and the transaction goes on."""
    async with database.unit_of_work() as unit:
        first = await note.request("first").once("note-1").enqueue(unit)
        again = await note.request("second").once("note-1").enqueue(unit)
        other = await note.request("third").once("note-2").enqueue(unit)
        await unit.commit()
    assert (first is not None, again, other is not None) == (True, None, True)
    assert [row.arguments["text"] for row in await rows(database)] == ["first", "third"]


async def test_a_sync_session_asks_too(database: Database) -> None:
    """S25: what a sync endpoint asks for is stored with its transaction as well, and a key once."""

    def ask() -> list[bool]:
        with database.sync_sessions() as session:
            note.request("dropped").enqueue_sync(session)
            session.rollback()
            asked = [note.request(text).once("note-1").enqueue_sync(session) for text in ("first", "again")]
            asked.append(note.request("third").enqueue_sync(session))
            session.commit()
        return [id is not None for id in asked]

    assert await asyncio.to_thread(ask) == [True, False, True]
    assert sorted(row.arguments["text"] for row in await rows(database)) == ["first", "third"]


class Noting(Service):
    """Asks for a job in its hook, and refuses some books after that."""

    async def after_create(self, change: Change) -> None:
        """Ask, then refuse."""
        await note.enqueue(change, f"book {change.id}")
        if change.values["title"] == "Refused":
            raise ConflictError("No.")


async def test_a_hook_asks_in_the_change_s_transaction(database_url: str) -> None:
    """S27: what the hook asks for is stored with the row, and with a row that is refused nothing is."""
    database = Database(database_url, metadata=Shelf.metadata)
    async with library(database_url, Noting(), database) as client:
        async with database.engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        problem(await client.post("books", json={"title": "Refused"}), 409)
        book = await new_book(client)
        assert [row.arguments for row in await rows(database)] == [{"text": f"book {book['id']}"}]
