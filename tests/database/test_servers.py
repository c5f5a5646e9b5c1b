"""The throw-away servers of the test kit: they start, come back after a crash, and never outlive their tests."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pymysql
import pytest

from colonnade.testing import MariaDB, PostgreSQL, Server, ServerError, Valkey
from colonnade.testing import postgresql as postgresql_module
from colonnade.testing.account import Account, can_enter
from colonnade.testing.postgresql import binary_folders
from colonnade.testing.shared import RemoteServers, SharedServers
from colonnade.testing.valkey import send_command

EVERY_SERVER = pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.needs(kind.name), id=kind.name) for kind in (PostgreSQL, MariaDB, Valkey)],
)


def _postgresql_write(server: Server) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (7)")


def _postgresql_read(server: Server) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT id FROM kept").fetchall() == [(7,)]


def _mariadb_write(server: Server) -> None:
    with pymysql.connect(host="127.0.0.1", port=server.port, user="root", database="test") as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (id int)")
            cursor.execute("INSERT INTO kept VALUES (7)")
        connection.commit()


def _mariadb_read(server: Server) -> bool:
    with (
        pymysql.connect(host="127.0.0.1", port=server.port, user="root", database="test") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT id FROM kept")
        return list(cursor.fetchall()) == [(7,)]


def _valkey_write(server: Server) -> None:
    assert send_command(server.url, "SET kept 7") == b"+OK\r\n"


def _valkey_read(server: Server) -> bool:
    return send_command(server.url, "GET kept") == b"$1\r\n7\r\n"


WRITE: dict[type[Server], Callable[[Server], None]] = {
    PostgreSQL: _postgresql_write,
    MariaDB: _mariadb_write,
    Valkey: _valkey_write,
}
READ: dict[type[Server], Callable[[Server], bool]] = {
    PostgreSQL: _postgresql_read,
    MariaDB: _mariadb_read,
    Valkey: _valkey_read,
}


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet waited for does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.strip().startswith("Z")


def _wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@EVERY_SERVER
def test_committed_data_outlive_a_kill_and_a_restart_at_the_same_url(kind: type[Server]) -> None:
    """S39: a durable server comes back with what was committed, whether it was killed or stopped in order."""
    with kind(durable=True) as server:
        url = server.url
        WRITE[kind](server)
        server.kill()
        assert not server.is_running
        server.start()
        assert READ[kind](server)
        server.restart()
        assert READ[kind](server)
        assert server.url == url


@EVERY_SERVER
def test_a_closed_server_leaves_nothing(kind: type[Server]) -> None:
    """After its `with` block a server's process and its folder are gone."""
    with kind() as server:
        assert _is_alive(server.pid)
        assert server.folder.exists()
    assert not _is_alive(server.pid)
    assert not server.folder.exists()


@EVERY_SERVER
def test_a_server_dies_with_the_process_that_started_it(kind: type[Server]) -> None:
    """Killing the test process, which then tidies nothing up itself, ends the server and removes its folder."""
    program = (
        "import sys, colonnade.testing as kit;"
        f"server = kit.{kind.__name__}().start();"
        "print(server.pid, server.folder, flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        assert _is_alive(int(pid))
        parent.kill()
    assert _wait_until(lambda: not _is_alive(int(pid)))
    assert _wait_until(lambda: not Path(folder).exists())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.needs("valkey")
def test_a_server_dies_with_its_warden() -> None:
    """Even when the process between the tests and the server is killed, the server ends."""
    with Valkey() as server:
        assert server._warden is not None
        os.kill(server._warden.pid, signal.SIGKILL)
        assert _wait_until(lambda: not _is_alive(server.pid))


@pytest.mark.needs("postgresql")
def test_a_server_that_does_not_start_shows_its_log() -> None:
    """The error of a failed start ends with the server's own last words, and nothing is left behind."""
    server = PostgreSQL(options={"shared_buffers": "a lot"})
    with pytest.raises(ServerError, match=r'invalid value for parameter "shared_buffers"'), server:
        pass
    assert not server.folder.exists()


@EVERY_SERVER
def test_a_server_starts_below_a_closed_temporary_folder(
    kind: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TMPDIR that only this process may enter keeps no server from starting under another account."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(closed))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with kind() as server:
        WRITE[kind](server)


@pytest.mark.needs("postgresql")
def test_binaries_out_of_reach_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL runs from a copy where its own account can't enter the folder of the binaries."""
    monkeypatch.setattr(postgresql_module, "can_enter", lambda folder, account: False)
    with PostgreSQL() as server:
        assert server.folder in Path(server._command()[0]).parents
        _postgresql_write(server)


def test_the_newest_installed_postgresql_is_the_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, the system's newest version by number is taken."""
    for version in ("9", "15", "17"):
        program = tmp_path / version / "bin" / "postgres"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}.3'\n")
        program.chmod(0o755)
    monkeypatch.setattr(postgresql_module, "WHEEL", "no_such_package")
    monkeypatch.setattr(postgresql_module, "SYSTEM_ROOT", tmp_path)
    assert [folder.parent.name for folder in binary_folders()][:3] == ["17", "15", "9"]


def test_an_account_may_enter_only_what_every_folder_above_allows(tmp_path: Path) -> None:
    """A closed folder anywhere on the way keeps an account out, the owner excepted."""
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    assert not can_enter(inner, Account(uid=os.getuid() + 54_321, gid=os.getgid() + 54_321))
    assert can_enter(inner, None)


@pytest.mark.needs("valkey")
def test_workers_share_one_server() -> None:
    """Two processes that ask for a kind of server over the controller's socket get the same one."""
    servers = SharedServers()
    try:
        way = servers.listen()
        assert RemoteServers(*way).url("valkey") == RemoteServers(*way).url("valkey") == servers.url("valkey")
    finally:
        servers.close()


def test_a_worker_hears_why_a_server_did_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller's error reaches the worker that asked, as the same error."""
    servers = SharedServers()

    def fail(name: str) -> str:
        raise ServerError(f"{name} is out of order")

    monkeypatch.setattr(servers, "url", fail)
    try:
        with pytest.raises(ServerError, match="mariadb is out of order"):
            RemoteServers(*servers.listen()).url("mariadb")
    finally:
        servers.close()
