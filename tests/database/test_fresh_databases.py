"""The fixture `database_url`: every test begins with an empty database, whatever the one before it left open."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from colonnade.testing.databases import KINDS
from colonnade.testing.shared import reason_to_leave_out
from colonnade.testing.valkey import send_command

# Connections that a test leaves open inside a transaction, on purpose; closed when the next test has begun.
left_open: list[Any] = []


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Close the last session that a test left open."""
    yield
    while left_open:
        left_open.pop().close()


def _connect(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite3.connect(parts.path[1:] or ":memory:")
    if parts.scheme == "postgresql":
        return psycopg.connect(url)
    return pymysql.connect(host="127.0.0.1", port=parts.port or 0, user="root", database=parts.path[1:])


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_begins_empty(database_url: str, turn: int) -> None:
    """S60: the next test can make the same table, although its rows were committed and its session is open."""
    connection = _connect(database_url)
    while left_open:
        left_open.pop().close()
    left_open.append(connection)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE things (id int PRIMARY KEY)")
    cursor.execute("INSERT INTO things VALUES (1)")
    connection.commit()
    cursor.execute("SELECT id FROM things")
    assert cursor.fetchall()


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("turn", [1, 2])
def test_another_schema_does_not_stay(database_url: str, turn: int) -> None:
    """S60: PostgreSQL is emptied of every schema, not of `public` alone."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA other")


@pytest.mark.databases("sqlite-file", "mariadb")
def test_a_test_is_held_to_its_kinds(database_url: str, request: pytest.FixtureRequest) -> None:
    """The marker `databases` names the kinds that a test runs with."""
    assert urlsplit(database_url).scheme in ("sqlite", "mysql")
    assert database_url != "sqlite://"


@pytest.mark.parametrize("turn", [1, 2])
def test_valkey_begins_empty(valkey_url: str, turn: int) -> None:
    """S60: a test's Valkey database holds nothing of an earlier test."""
    select = f"SELECT {urlsplit(valkey_url).path[1:]}"
    assert send_command(valkey_url, select, "DBSIZE") == b":0\r\n"
    send_command(valkey_url, select, "SET left 1")


def test_a_missing_binary_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server's binary is absent, or a program, the reason says so in a few words."""
    monkeypatch.setattr("colonnade.testing.mariadb.find_program", lambda *names: None)
    uncached: Callable[[str], str | None] = reason_to_leave_out.__wrapped__
    assert uncached("mariadb") == "no binary"
    assert uncached("no-such-program") == "not found"
    assert uncached("sh") is None


SUITE = """
import pytest

@pytest.mark.needs("no-such-program")
@pytest.mark.parametrize("number", [1, 2])
def test_left_out(number): assert False

def test_with_every_database(database_url): pass

def test_that_passes(): pass
"""


def _run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *options: str, ci: str = "") -> pytest.RunResult:
    monkeypatch.setenv("CI", ci)
    # The plug-ins of every installed package take two seconds to import.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest('pytest_plugins = ["colonnade.testing.plugin"]')
    pytester.makepyfile(SUITE)
    return pytester.runpytest_subprocess("-p", "xdist", "--databases=sqlite-memory,sqlite-file", *options)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_what_is_left_out_is_counted(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    """Tests that the machine can't run are counted in the summary, once however many workers collect them."""
    result = _run(pytester, monkeypatch, *workers)
    result.assert_outcomes(passed=len(KINDS) - 1, deselected=0 if workers else 2)
    result.stdout.fnmatch_lines(["left out: 2 tests (no-such-program: not found)"])
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_ci_leaves_nothing_out(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    """With CI in the environment a run that left a test out fails, though every test that ran passed."""
    result = _run(pytester, monkeypatch, *workers, ci="true")
    result.assert_outcomes(passed=len(KINDS) - 1, deselected=0 if workers else 2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_test_that_was_not_chosen_is_not_left_out(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `-k` takes away needs no server, so CI does not fail for it."""
    result = _run(pytester, monkeypatch, "-k", "passes", ci="1")
    assert result.ret == pytest.ExitCode.OK


def test_a_misspelt_kind_stops_the_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of database that does not exist is a usage error, not a run without tests."""
    result = _run(pytester, monkeypatch, "--databases=sqlite")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_sqlite_alone_starts_no_server(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that asks for no server does not pay for one."""
    result = _run(pytester, monkeypatch, "--setup-show", "-k", "every_database")
    result.stdout.no_fnmatch_line("*fresh_*")
