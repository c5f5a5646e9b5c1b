"""A headless Chromium for tests, spoken to by the DevTools protocol over a pair of pipes.

Pipes (`--remote-debugging-pipe`) rather than a port: nothing to find, nothing to wait for, nobody else can connect,
and a browser whose test has died reads the end of its pipe and goes. Only a loopback name resolves in it, so a page
that asks any other host for something fails here as it would with the network off.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "colonnade.test"  # not "localhost": pages treat that one specially (Swagger UI hides its validator badge there)
DEADLINE = 30.0  # seconds for any one answer; a cold start on a busy machine takes a few

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND",
)
# Chromium wants its ends as descriptors 3 and 4, which Popen can't place.
_LAUNCHER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class BrowserError(Exception):
    """The browser refused a command, went away, or did not answer in time."""


@dataclass(slots=True)
class Browser:
    """The connection: commands go out numbered, answers and events come back in one stream."""

    commands: int
    messages: int
    events: list[dict[str, Any]] = field(default_factory=list)
    _sent: int = 0
    _buffer: bytes = b""

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come in between are kept in `events`."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = self._read(deadline)
            if answer.get("id") != self._sent:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self.messages], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self.messages, 1 << 20) if ready else b""
            if not chunk:
                raise BrowserError("the browser went away" if ready else f"no answer in {DEADLINE:.0f} s")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


@dataclass(frozen=True, slots=True)
class Page:
    """One tab of a given width, with what it asked for and complained about."""

    browser: Browser
    session: str

    def open(self, url: str) -> None:
        """Go to a page; it is not waited for (see `wait_for`)."""
        self.call("Page.navigate", url=url)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command to this tab."""
        return self.browser.call(method, self.session, **params)

    def value(self, expression: str) -> Any:
        """Evaluate JavaScript in the page and give its value."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, seconds: float = DEADLINE) -> None:
        """Wait until JavaScript in the page says true."""
        deadline = time.monotonic() + seconds
        while not self.value(expression):
            if time.monotonic() > deadline:
                shown = self.value("document.body.innerText")[:500]
                raise BrowserError(f"never true: {expression}; {self.complaints()}; the page shows {shown!r}")
            time.sleep(0.05)

    def screenshot(self, path: Path) -> None:
        """Write what is on the screen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def requests(self) -> list[str]:
        """Give every URL that the tab asked for, in order."""
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Give the console's errors and warnings of every source: scripts, CSP, network."""
        said = [event["entry"] for event in self._events("Log.entryAdded")]
        found = [f"{entry['level']}: {entry['text']}" for entry in said if entry["level"] in {"error", "warning"}]
        found += [event["exceptionDetails"]["text"] for event in self._events("Runtime.exceptionThrown")]
        calls = [event for event in self._events("Runtime.consoleAPICalled") if event["type"] in {"error", "assert"}]
        return found + [str([argument.get("value") for argument in event["args"]]) for event in calls]

    def _events(self, method: str) -> Iterator[dict[str, Any]]:
        mine = (event for event in self.browser.events if event.get("sessionId") == self.session)
        return (event["params"] for event in mine if event["method"] == method)


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a browser with a fresh profile folder; it is gone afterwards."""
    executable = shutil.which("chromium")
    if executable is None:
        raise BrowserError("chromium is not installed; mark the test with needs('chromium')")
    ours, theirs = _pipes()
    command = [sys.executable, "-c", _LAUNCHER, *map(str, theirs), executable, *_FLAGS, f"--user-data-dir={profile}"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=quiet, stdout=quiet, stderr=quiet, pass_fds=theirs, start_new_session=True
    )
    for descriptor in theirs:
        os.close(descriptor)
    browser = Browser(*ours)
    try:
        yield browser
        browser.call("Browser.close")
        process.wait(DEADLINE)
    finally:
        for descriptor in ours:
            os.close(descriptor)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """Make both pipes on descriptors of 10 and up, so that placing 3 and 4 in the child overwrites neither."""

    def raised(descriptor: int) -> int:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(descriptor)
        return high

    their_in, our_out = map(raised, os.pipe())
    our_in, their_out = map(raised, os.pipe())
    return (our_out, our_in), (their_in, their_out)


@contextmanager
def page(browser: Browser, width: int, height: int = 900) -> Iterator[Page]:
    """Open a tab of `width` x `height` CSS pixels; below 600 it is a telephone."""
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    tab = Page(browser, session)
    for domain in ("Page", "Network", "Runtime", "Log"):
        tab.call(f"{domain}.enable")
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
    yield tab
    browser.call("Target.closeTarget", targetId=target)
