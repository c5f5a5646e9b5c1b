"""What every throw-away server has in common: a folder, a port, a life that ends with the test process.

A kind of server (`PostgreSQL`, `MariaDB`, `Valkey`) says where its binaries are, how its data folder is made, which
command runs it and how one sees that it answers. Everything else is here.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from colonnade.testing.account import can_enter, unprivileged_account

WARDEN = Path(__file__).with_name("warden.py")
HOST = "127.0.0.1"
# Below the range from which the kernel gives ports to outgoing connections, so that none of those sits on a server's
# port while the server is down between stop() and start().
PORTS = range(20_000, 32_000)
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 60.0
SECONDS_BETWEEN_LOOKS = 0.005
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin", "/opt/homebrew/bin")


class ServerError(RuntimeError):
    """A throw-away server did not start or did not stop; the text ends with the last of its own log."""


class ServerMissingError(ServerError):
    """This machine has no binary for a server: its tests are left out, not failed."""


def find_program(*names: str) -> Path | None:
    """Find the first of `names` on the PATH or in the folders for servers, which a user's PATH often lacks."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))
    found = (shutil.which(name, path=path) for name in names)
    return next((Path(program) for program in found if program), None)


def free_port() -> int:
    """Find a TCP port of the loopback interface on which nobody listens now."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as candidate:
            # As the servers do: a port with old connections in TIME_WAIT is free.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                candidate.bind((HOST, port))
                return port
    raise ServerError(f"no free port on {HOST} between {PORTS.start} and {PORTS.stop}")


class Server(ABC):
    """A real server on 127.0.0.1 for the life of a test, a session or a benchmark.

    Use it as a context manager, or call `start()` and `close()`. It also ends, and its folder goes, when this process
    ends in whatever way. Its port, and so its `url`, stays the same over `stop()`, `kill()`, `start()` and
    `restart()`.

    Args:
        durable: commits reach the disk, as in production (for benchmarks and fault tests). Without it the server skips
            every wait for the disk; data still outlives a `kill()` of the server, but not the machine's own crash.
        options: the server's own settings by name, over the ones chosen here.

    Raises:
        ServerMissingError: the machine has no binary of this server.
    """

    name: ClassVar[str]
    account_name: ClassVar[str | None] = "nobody"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    discard_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, *, durable: bool = False, options: Mapping[str, str] | None = None) -> None:
        self.durable = durable
        self.options = dict(options or {})
        self.port = free_port()
        self.pid = 0
        self._warden: subprocess.Popen[str] | None = None
        self._account = unprivileged_account(self.account_name) if self.account_name else None
        self.locate()
        self.folder = self._make_folder()
        self._is_prepared = False

    @classmethod
    @abstractmethod
    def locate(cls) -> Path:
        """Find the server's binary (or the folder of its binaries); raises `ServerMissingError` where there is none."""

    @abstractmethod
    def url_of(self, database: str) -> str:
        """Give the URL of one of the server's databases."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL of the database that the server has from its start."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data folder; called once, before the first start."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Give the command that runs the server in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether the server takes connections now."""

    @property
    def log(self) -> Path:
        """The file that holds what the server wrote."""
        return self.folder / "log"

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive."""
        return self._warden is not None and self._warden.poll() is None

    def start(self) -> Self:
        """Start the server (preparing its data the first time) and wait until it answers.

        Raises:
            ServerError: the server ended, or did not answer within 60 seconds.
        """
        if self.is_running:
            return self
        if not self._is_prepared:
            self._prepare()
            self._is_prepared = True
        self._launch()
        self._wait_until_it_answers()
        return self

    def stop(self) -> None:
        """Stop the server in order, as an administrator does; its data stay for the next `start()`."""
        self._signal(self.stop_signal)
        self._reap()

    def kill(self) -> None:
        """End the server as a crash does: SIGKILL to it and to its own child processes, at once."""
        children = self._children()
        self._signal(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._reap()

    def restart(self) -> None:
        """Stop the server in order and start it again on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server the quickest way and remove its folder with all data."""
        self._signal(self.discard_signal)
        self._reap()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_folder(self) -> Path:
        root = Path(tempfile.gettempdir())
        if not can_enter(root, self._account):  # TMPDIR below /root, say
            root = Path("/tmp")  # noqa: S108 - mkdtemp below makes the name unguessable and the folder private
        folder = Path(tempfile.mkdtemp(prefix=f"colonnade-{self.name}-", dir=root))
        if self._account:
            os.chown(folder, self._account.uid, self._account.gid)
        return folder

    @property
    def _environment(self) -> dict[str, str]:
        # Temporary files too go where the server's account may write, which this process's own TMPDIR need not be.
        return os.environ | {"TMPDIR": str(self.folder)}

    def _run(self, command: Sequence[str | Path]) -> None:
        """Run one of the server's own tools under its account."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode:
            raise ServerError(
                f"{Path(command[0]).name} failed ({done.returncode}): {(done.stdout + done.stderr)[-2000:]}"
            )

    def _launch(self) -> None:
        order = {
            "command": [str(word) for word in self._command()],
            "folder": str(self.folder),
            "log": str(self.log),
            "account": (self._account.uid, self._account.gid) if self._account else None,
            "signal": int(self.discard_signal),
        }
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WARDEN), json.dumps(order)],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        first_line = self._warden.stdout.readline() if self._warden.stdout else ""
        self.pid = int(first_line or 0)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            if not self.is_running:
                self._reap()
                raise ServerError(f"{self.name} ended while it started: {self._last_words()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} did not answer within {SECONDS_TO_START:.0f} s: {self._last_words()}")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "(no log)"

    def _signal(self, number: signal.Signals) -> None:
        # Only while the warden lives: it holds the server's process id, which may be another process's after that.
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _reap(self) -> None:
        if self._warden is None:
            return
        try:
            self._warden.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired as error:
            raise ServerError(
                f"{self.name} did not stop within {SECONDS_TO_STOP:.0f} s: {self._last_words()}"
            ) from error
        for pipe in (self._warden.stdin, self._warden.stdout):
            if pipe is not None:
                pipe.close()
        self._warden = None

    def _children(self) -> list[int]:
        """The server's own child processes (Linux; elsewhere they notice the death of their parent by themselves)."""
        try:
            return [int(word) for word in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except OSError:
            return []
