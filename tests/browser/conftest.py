"""What the browser tests stand on: one Chromium for all of them, and a real server for each."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp

from tests.browser.chromium import HOST, Browser, chromium, find_chromium

Serve = Callable[[ASGIApp], str]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium that reaches nothing but this machine."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("chromium: no binary")
    with chromium(executable, tmp_path_factory.mktemp("profile")) as running:
        yield running


@contextmanager
def _running(app: ASGIApp) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://{HOST}:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application on a free port; gives its address as the browser reaches it."""
    running = []

    def start(app: ASGIApp) -> str:
        context = _running(app)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)
