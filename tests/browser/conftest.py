"""What the browser tests stand on: one Chromium for all of them, and a real server for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.types import ASGIApp

from tests.browser.chromium import HOST, Browser, chromium
from tests.serving import serving

Serve = Callable[[ASGIApp], str]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium that reaches nothing but this machine."""
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application on a free port; gives its address as the browser reaches it."""
    with ExitStack() as servers:
        yield lambda app: f"http://{HOST}:{servers.enter_context(serving(app))}"
