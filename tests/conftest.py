"""What every test of the suite has at hand; the databases come from the test kit that users of the library get too."""

import gc
import importlib.util
import os
import warnings
from typing import Any

import pytest

# Hundreds of requests a second come from one address here; the tests of the limit set one.
os.environ["RATE_LIMIT"] = "off"

pytest_plugins = ["colonnade.testing.plugin", "pytester"]


LEFT_OPEN: list[str] = []


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run asynchronous tests on asyncio, with uvloop where it is installed, as the application itself runs."""
    return "asyncio", {"use_uvloop": importlib.util.find_spec("uvloop") is not None}


def pytest_collection_finish() -> None:
    """Keep the collector off what stays: each test leaves an application behind, and a third of the time went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def pytest_warning_recorded(warning_message: warnings.WarningMessage, nodeid: str) -> None:
    """Remember who left a transport of uvloop open: where that warning is an error, `loop.close()` never returns."""
    if "unclosed resource" in str(warning_message.message):
        LEFT_OPEN.append(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for it all the same."""
    if LEFT_OPEN and not hasattr(session.config, "workerinput") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    for nodeid in LEFT_OPEN:
        terminalreporter.write_line(f"left a connection open, which fails the run: {nodeid}", red=True)
