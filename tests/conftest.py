"""What every test of the suite has at hand; the databases come from the test kit that users of the library get too."""

import gc
import importlib.util
import os
from typing import Any

import pytest

# Hundreds of requests a second come from one address here; the tests of the limit set one.
os.environ["RATE_LIMIT"] = "off"

pytest_plugins = ["colonnade.testing.plugin", "pytester"]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run asynchronous tests on asyncio, with uvloop where it is installed, as the application itself runs."""
    return "asyncio", {"use_uvloop": importlib.util.find_spec("uvloop") is not None}


def pytest_collection_finish() -> None:
    """Keep the collector off what stays: each test leaves an application behind, and a third of the time went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
