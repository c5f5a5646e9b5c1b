"""Text means the same on every database: it is compared and sorted by code point, whatever the server's own collation is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from colonnade import Database
from tests.library import library, new_publisher, places

pytestmark = pytest.mark.anyio

# By code point: a capital before every small letter, a plain space before all, and the last one is beyond the 16 bits.
SORTED = ["", " a", "A", "Z", "a", "a ", "ab", "ä", "ﬁ", "𝄞"]

words = sa.MetaData()
sa.Table("plain", words, sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.String(20)))
sa.Table("chosen", words, sa.Column("word", sa.String(20), primary_key=True), mysql_collate="utf8mb4_general_ci")
sa.Table(
    "column_chosen",
    words,
    sa.Column("word", sa.String(20).with_variant(sa.String(20, "utf8mb4_general_ci"), "mysql"), primary_key=True),
)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection to a database with the tables."""
    database = Database(database_url, metadata=words)
    await database.start(create_tables=True)
    async with database.engine.connect() as connection:
        yield connection
    await database.dispose()


async def test_texts_that_look_alike_are_different(database_url: str) -> None:
    """S43: a unique text is unique as it is written, with its case and the spaces at its end."""
    async with library(database_url) as client:
        for name in ("a", "A", "a ", "ä"):
            await new_publisher(client, name)
        assert places(await client.post("publishers", json={"name": "A"}), 409) == ["/name"]


@pytest.mark.parametrize("found", SORTED)
async def test_a_text_equals_itself_alone(connection: AsyncConnection, found: str) -> None:
    """S51: a filter finds the text as it was asked for, and no other."""
    table = words.tables["plain"]
    await connection.execute(sa.insert(table), [{"word": word} for word in SORTED])
    assert (await connection.execute(sa.select(table.c.word).where(table.c.word == found))).all() == [(found,)]


async def test_text_is_sorted_by_code_point(connection: AsyncConnection) -> None:
    """S51: a list, and a walk by cursor, come in one order on every database."""
    table = words.tables["plain"]
    await connection.execute(sa.insert(table), [{"word": word} for word in reversed(SORTED)])
    assert list(await connection.scalars(sa.select(table.c.word).order_by(table.c.word))) == SORTED


@pytest.mark.databases("mariadb")
@pytest.mark.parametrize("name", ["chosen", "column_chosen"])
async def test_a_table_or_column_may_choose_its_collation(connection: AsyncConnection, name: str) -> None:
    """What is declared holds."""
    await connection.execute(sa.insert(words.tables[name]), [{"word": "a"}])
    with pytest.raises(sa.exc.IntegrityError):
        await connection.execute(sa.insert(words.tables[name]), [{"word": "A"}])


@pytest.mark.databases("mariadb")
async def test_a_sync_engine_makes_the_same_tables(database_url: str) -> None:
    """Tools and plain `def` endpoints share the rule."""
    database = Database(database_url)
    await asyncio.to_thread(words.create_all, database.sync_engine)
    async with database.engine.connect() as connection:
        made = await connection.execute(sa.text("SHOW CREATE TABLE plain"))
        assert "COLLATE=utf8mb4_nopad_bin" in made.one()[1]
    await database.dispose()
