"""A throw-away MariaDB from the system's own package (Debian: `mariadb-server`)."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from colonnade.testing.server import HOST, Server, ServerMissingError, find_program

DATABASE = "test"
# InnoDB's log, 96 MiB by default, is written in full at the start.
SMALL_LOG = "--innodb-log-file-size=16M"

SETTINGS = {
    "bind-address": HOST,
    "character-set-server": "utf8mb4",
    # As distributions have it, "a" = "a " and "a" = "A": it is the library that makes its tables otherwise.
    "collation-server": "utf8mb4_general_ci",
    "performance-schema": "OFF",
    "innodb-buffer-pool-size": "128M",
}
WITHOUT_DISK_WAITS = {
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "OFF",
    "innodb-stats-persistent": "OFF",
    # Making the reference application's tables took 280 ms of a core, and takes 115: a file for each table and for each of
    # the dozen that make up a full-text index, and three large buffers for each index, were most of it.
    "innodb-file-per-table": "OFF",
    "innodb-sort-buffer-size": "64K",
}


class MariaDB(Server):
    """A real MariaDB server with the user `root`, no password, and the database `test`.

    Its collation is the usual one (`utf8mb4_general_ci`). `options` are the names of the server's command line.
    """

    name: ClassVar[str] = "mariadb"
    account_name: ClassVar[str | None] = "mysql"

    @classmethod
    def locate(cls) -> Path:
        """Find `mariadbd`; its `mariadb-install-db` has to be there too."""
        program = find_program("mariadbd")
        if program is None or find_program("mariadb-install-db") is None:
            raise ServerMissingError("no binary")
        return program

    def url_of(self, database: str) -> str:
        """Give `mysql://root@127.0.0.1:PORT/database`."""
        return f"mysql://root@{HOST}:{self.port}/{database}"

    @property
    def url(self) -> str:
        """The URL of the database `test`."""
        return self.url_of(DATABASE)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        (self.folder / "init.sql").write_text(f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n")
        (self.folder / "init.sql").chmod(0o644)
        install = find_program("mariadb-install-db") or "mariadb-install-db"
        # Run under the server's account: as root the script would also change the owner of a system-wide plug-in.
        fixed = ("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", SMALL_LOG)
        self._run([install, "--no-defaults", f"--datadir={self._data}", *fixed])

    def _command(self) -> Sequence[str | Path]:
        settings = SETTINGS | ({} if self.durable else WITHOUT_DISK_WAITS) | self.options
        return [
            self.locate(),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--port={self.port}",
            # Relative to the data folder: an absolute path below a long TMPDIR passes the 107 bytes of a socket's name.
            "--socket=server.sock",
            "--pid-file=server.pid",
            f"--init-file={self.folder / 'init.sql'}",
            "--skip-log-bin",
            "--skip-name-resolve",
            SMALL_LOG,
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def _answers(self) -> bool:
        """Wait for the greeting that the server sends first: the port alone is open before the server is ready."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False
