"""The pytest plugin: fresh databases of every kind for a test, on real servers that start by themselves.

Turn it on in the top `conftest.py` with ``pytest_plugins = ["colonnade.testing.plugin"]``. Then:

- ``database_url``: the URL of a fresh, empty database. The test runs once for each kind: ``sqlite-memory``,
  ``sqlite-file``, ``postgresql``, ``mariadb``. The database is this test's alone until the next one begins; close
  what was opened on it.
- ``@pytest.mark.databases("postgresql", "sqlite-file")`` on a test, class or module: those kinds only. The closest
  one decides.
- ``--databases=sqlite-memory,sqlite-file``: those kinds only, for this run (a choice, not something left out).
- ``valkey_url``: an empty Valkey database.
- ``@pytest.mark.needs("mariadb", "chromium")``: the test needs a server by name, or a program on the PATH.

A server starts when the first test asks for it and is shared by all tests and workers, so a test must not stop it:
for that it starts its own (``with PostgreSQL() as server``). What this machine has no binary for is left out, counted
in the terminal's summary, and makes the run fail where the environment says ``CI``.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colonnade.testing.databases import KINDS, SERVER_KINDS, FreshDatabase, FreshMariaDB, FreshPostgreSQL
from colonnade.testing.shared import RemoteServers, SharedServers, reason_to_leave_out
from colonnade.testing.valkey import send_command

SERVERS = pytest.StashKey[SharedServers | RemoteServers]()
LEFT_OUT = pytest.StashKey[Counter[str]]()
# Keys of the dictionaries that pytest-xdist carries to a worker and back.
TO_WORKER = "colonnade_servers"
FROM_WORKER = "colonnade_left_out"
VALKEY_DATABASES = 16


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--databases`."""
    parser.getgroup("colonnade").addoption(
        "--databases",
        metavar="KINDS",
        help=f"kinds of database to test, a comma list of {', '.join(KINDS)} (all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and find the way to this run's servers."""
    config.addinivalue_line("markers", "databases(*kinds): run the test with these kinds of database only")
    config.addinivalue_line("markers", "needs(*names): leave the test out where this server or program is missing")
    _check_kinds(_chosen(config), "--databases")
    handed_over = getattr(config, "workerinput", {}).get(TO_WORKER)
    config.stash[SERVERS] = RemoteServers(*handed_over) if handed_over else SharedServers()
    config.stash[LEFT_OUT] = Counter()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers of this run."""
    if servers := config.stash.get(SERVERS, None):
        servers.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a new worker of pytest-xdist where to ask for servers."""
    servers = node.config.stash[SERVERS]
    node.workerinput[TO_WORKER] = servers.listen()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker left out; every worker collects the same tests, so the largest count is the count."""
    node.config.stash[LEFT_OUT] |= Counter(getattr(node, "workeroutput", {}).get(FROM_WORKER, {}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `database_url` once for each kind of database."""
    if "database_url" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("databases")
    kinds = marker.args if marker else KINDS
    _check_kinds(kinds, metafunc.definition.nodeid)
    chosen = _chosen(metafunc.config)
    metafunc.parametrize("database_url", [kind for kind in kinds if kind in chosen], indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that this machine can't run; last, so that what `-k` and `-m` took away is not counted."""
    left_out: list[pytest.Item] = []
    for item in items:
        reasons = {need: reason_to_leave_out(need) for need in sorted(_needs(item))}
        first = next((f"{need}: {reason}" for need, reason in reasons.items() if reason), None)
        if first:
            config.stash[LEFT_OUT][first] += 1
            left_out.append(item)
    if left_out:
        items[:] = [item for item in items if item not in set(left_out)]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts to the controller; under CI, fail a run that left something out."""
    left_out = session.config.stash[LEFT_OUT]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[FROM_WORKER] = dict(left_out)
    elif left_out and _is_ci() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests were left out, and why."""
    for reason, count in sorted(config.stash[LEFT_OUT].items()):
        ending = "; CI leaves nothing out, so this run fails" if _is_ci() else ""
        terminalreporter.write_line(f"left out: {count} test{'s'[: count != 1]} ({reason}){ending}", yellow=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, empty database of the kind in turn, without a driver's name in it."""
    kind: str = request.param
    if kind == "sqlite-memory":
        return "sqlite://"
    if kind == "sqlite-file":
        folder: Path = request.getfixturevalue("tmp_path")
        return f"sqlite:///{folder / 'test.sqlite3'}"
    database: FreshDatabase = request.getfixturevalue(f"fresh_{kind}")
    return database.fresh()


@pytest.fixture(scope="session")
def fresh_postgresql(request: pytest.FixtureRequest, worker_name: str) -> Iterator[FreshDatabase]:
    """This worker's database on the shared PostgreSQL."""
    database = FreshPostgreSQL(request.config.stash[SERVERS].url("postgresql"), worker_name)
    yield database
    database.close()


@pytest.fixture(scope="session")
def fresh_mariadb(request: pytest.FixtureRequest, worker_name: str) -> Iterator[FreshDatabase]:
    """This worker's database on the shared MariaDB."""
    database = FreshMariaDB(request.config.stash[SERVERS].url("mariadb"), worker_name)
    yield database
    database.close()


@pytest.fixture
def valkey_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty Valkey database, this worker's own (the first sixteen workers have one)."""
    server_url = request.config.stash[SERVERS].url("valkey")
    number = int(_worker_id(request.config).removeprefix("gw")) % VALKEY_DATABASES
    send_command(server_url, f"SELECT {number}", "FLUSHDB")
    return f"{server_url.rpartition('/')[0]}/{number}"


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """The name that keeps this worker's databases apart: `test_gw3`; `test_gw0` without pytest-xdist."""
    return f"test_{_worker_id(request.config)}"


def _worker_id(config: pytest.Config) -> str:
    return str(getattr(config, "workerinput", {}).get("workerid", "gw0"))


def _chosen(config: pytest.Config) -> tuple[str, ...]:
    given: str | None = config.getoption("--databases")
    return tuple(given.split(",")) if given else KINDS


def _check_kinds(kinds: tuple[str, ...], where: str) -> None:
    if unknown := set(kinds) - set(KINDS):
        raise pytest.UsageError(
            f"{where}: no such kind of database: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
        )


def _needs(item: pytest.Item) -> set[str]:
    """Name the servers and programs that a test can't run without."""
    needs = {str(name) for marker in item.iter_markers("needs") for name in marker.args}
    kind = item.callspec.params.get("database_url") if hasattr(item, "callspec") else None
    if kind in SERVER_KINDS:
        needs.add(kind)
    if "valkey_url" in getattr(item, "fixturenames", ()):
        needs.add("valkey")
    return needs


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
