"""The `colonnade` command: quick to start, clear when it can't, and what it hands to the server."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from colonnade import Database
from colonnade.cli import main
from colonnade.cli.policies import policy_rows
from colonnade.cli.serving import GRACEFUL_STOP_SECONDS, Serving, hand_on, where_to_look
from colonnade.cli.showing import route_rows
from colonnade.core.settings import Settings
from colonnade.jobs.worker import GRACE
from tests.magazine import magazine_app, magazine_resources


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and no setting from outside or for those who come after."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")  # what a command sets is taken away again, too
        monkeypatch.delenv(name.upper())


def left_with(*arguments: str) -> int:
    """Run a command and give its exit code."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_help_imports_no_library_that_is_slow() -> None:
    """`colonnade --help` answers at once: neither the web, the database nor the settings are imported for it."""
    slow = {"fastapi", "starlette", "sqlalchemy", "alembic", "pydantic", "uvicorn", "rich"}
    program = (
        "import sys\n"
        "from colonnade.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & {slow}))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "Migrate the database" in shown
    assert shown.splitlines()[-1] == "[]"


def test_an_unknown_command_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A word that is no command is told, with exit code 2."""
    assert left_with("sevre") == 2
    assert "No such command 'sevre'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["settings"], ["serve"], ["seed"], ["db", "upgrade"], ["db", "status"], ["jobs", "list"]]
)
def test_a_misspelt_setting_stops_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """A setting that does not fit is one line on stderr and code 2, before anything is touched."""
    monkeypatch.setenv("ENV", "prodution")
    assert left_with(*command) == 2
    told = capsys.readouterr().err
    assert told.startswith("colonnade: ENV='prodution'")
    assert told.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


def test_settings_are_shown_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """S66: `colonnade settings` shows every name, and no secret."""
    monkeypatch.setenv("SECRET_KEY", "hunter22" * 4)
    assert left_with("settings") == 0
    shown = capsys.readouterr().out
    assert "PORT\t8000\n" in shown
    assert "hunter22" not in shown


def test_a_taken_port_is_told_before_anything_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """`serve` on a port that is taken says so in one line, and has not touched the database."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert left_with("serve", "--prepare", "--port", str(port)) == 2
    assert f"can't listen on 127.0.0.1:{port}" in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []


def test_a_folder_without_migrations_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`db upgrade` outside a project says where it looked."""
    assert left_with("db", "upgrade") == 2
    told = capsys.readouterr().err
    assert f"no env.py in {Path.cwd() / 'migrations'}" in told
    assert "colonnade db init" in told


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("nowhere", "'nowhere' is no reference"),
        ("nowhere.main:app", "name another with --app module:attribute"),
        ("here:nothing", "has no 'nothing'"),
    ],
)
def test_an_application_that_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str], reference: str, told: str
) -> None:
    """A reference that leads nowhere is one line, not a traceback."""
    Path("here.py").write_text("app = None\n")
    assert left_with("routes", "--app", reference) == 2
    assert told in capsys.readouterr().err


def test_a_fault_inside_the_application_keeps_its_traceback() -> None:
    """A module that the application itself can't import is its own fault, shown whole."""
    Path("broken.py").write_text("import not_installed_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        main(["routes", "--app", "broken:app"])


def test_routes_are_listed_with_their_full_path() -> None:
    """`colonnade routes` gives method, path and name of each route once, those of included routers too."""
    app, router = FastAPI(openapi_url=None), APIRouter(prefix="/things")

    @router.get("/{id}", name="read thing")
    def read() -> None: ...

    app.include_router(router, prefix="/api/v1")
    app.include_router(router, prefix="/api", include_in_schema=False)
    assert list(route_rows(app)) == [("GET", "/api/v1/things/{id}", "read thing", "/api/things/{id}")]


def test_policies_are_shown_grant_by_grant() -> None:
    """S78: `colonnade policy` tells who may do what with which rows and fields, and which table has no policy."""
    rows = list(policy_rows(magazine_app(Database("sqlite://"), magazine_resources())))
    assert ("authors", "signed in", "read", "all", "email", "") in rows
    assert ("authors", "signed in", "read, update", "id is the account's", "", "name") in rows
    assert ("articles", "anyone", "read", "published=True", "rating", "") in rows
    assert ("articles", "admin", "everything", "all", "", "") in rows
    assert ("reviews", "anyone", "everything: it has no policy", "all", "", "") in rows


def test_the_server_itself_trusts_no_proxy() -> None:
    """Forwarded addresses are the application's to judge, whatever uvicorn's own default says."""
    assert Serving("app.main:app", Settings(trusted_proxies=("10.0.0.1",))).options()["proxy_headers"] is False


def test_the_server_says_little_and_stops_gracefully() -> None:
    """No server header, no access log, and the process is gone within 25 seconds: ten of them are its jobs'."""
    options = Serving("app.main:app", Settings()).options()
    assert (options["server_header"], options["access_log"]) == (False, False)
    assert options["timeout_graceful_shutdown"] == 13


def test_reloading_is_for_one_process() -> None:
    """S65: `--reload` watches the files and serves with one process, however many are set."""
    options = Serving("app.main:app", Settings(workers=4), reload=True).options()
    assert (options["reload"], options["workers"]) == (True, None)


@pytest.mark.parametrize(
    ("host", "root"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")],
)
def test_serve_says_where_to_look(host: str, root: str) -> None:
    """S64: the three pages are printed, with an address that a browser can open."""
    lines = where_to_look(Settings(host=host))
    assert [f"{root}{path}" in lines for path in ("/ ", "/docs", "/redoc")] == [True] * 3


def test_where_it_is_served_reaches_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve --port 9001`: the address in a mailed link is the one that is listened on."""
    for name in ("HOST", "PORT", "WORKERS"):
        monkeypatch.setenv(name, "")
    hand_on(Settings(_env_file=None, host="0.0.0.0", port=9001, workers=2))  # type: ignore[call-arg]
    read = Settings(_env_file=None)  # type: ignore[call-arg]
    assert (read.host, read.port, read.workers) == ("0.0.0.0", 9001, 2)
    assert read.public_url == "http://127.0.0.1:9001"


def test_requests_and_jobs_end_before_the_process_is_killed() -> None:
    """Reliability: graceful stop 25 s; the jobs' time begins when that of the requests is over."""
    assert GRACEFUL_STOP_SECONDS + GRACE <= 23
