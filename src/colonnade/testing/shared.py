"""One server of each kind for a whole test run, started when the first test asks for it.

Under pytest-xdist the servers belong to the controller, which outlives its workers. A worker asks it over a loopback
socket with a secret that was handed to it at its start; without xdist the same object is asked directly.
"""

import functools
import importlib.util
import os
import shutil
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Final

from colonnade.testing.mariadb import MariaDB
from colonnade.testing.postgresql import PostgreSQL
from colonnade.testing.server import HOST, Server, ServerError, ServerMissingError
from colonnade.testing.valkey import Valkey

SERVERS: Final[dict[str, type[Server]]] = {kind.name: kind for kind in (PostgreSQL, MariaDB, Valkey)}
# What the fixtures themselves need to make and empty a database.
DRIVERS: Final = {"postgresql": "psycopg", "mariadb": "pymysql"}


@functools.cache
def reason_to_leave_out(need: str) -> str | None:
    """Say why a test that needs `need` can't run on this machine.

    Args:
        need: a kind of server (`postgresql`, `mariadb`, `valkey`) or the name of a program on the PATH.

    Returns:
        None when it can run; else a few words, such as "no binary".
    """
    if need not in SERVERS:
        return None if shutil.which(need) else "not found"
    driver = DRIVERS.get(need)
    if driver and importlib.util.find_spec(driver) is None:
        return f"no driver {driver}"
    try:
        SERVERS[need].locate()
    except ServerMissingError as error:
        return str(error)
    return None


class SharedServers:
    """The servers of one test run, in the process that outlives the tests."""

    def __init__(self) -> None:
        self._running: dict[str, Server] = {}
        # One lock a kind: MariaDB need not wait for PostgreSQL.
        self._locks = {name: threading.Lock() for name in SERVERS}
        self._listener: Listener | None = None

    def url(self, name: str) -> str:
        """Give the URL of the server `name`, starting it the first time. Any thread may ask.

        Raises:
            ServerError: the server does not start.
        """
        with self._locks[name]:
            if name not in self._running:
                server = SERVERS[name]()
                # Kept before it is started, so that close() also removes the folder of one that fails.
                self._running[name] = server
                server.start()
            return self._running[name].url

    def close(self) -> None:
        """End every server that was started, and remove its data."""
        if self._listener is not None:
            self._listener.close()
        for server in self._running.values():
            server.close()
        self._running.clear()

    def listen(self) -> tuple[str, int, bytes]:
        """Let other processes of this machine ask for URLs.

        Returns:
            Host, port and secret, for `RemoteServers`; the same ones at every call.
        """
        if self._listener is None:
            self._secret = os.urandom(32)
            self._listener = Listener((HOST, 0), authkey=self._secret)
            threading.Thread(target=self._accept, args=(self._listener,), name="shared-servers", daemon=True).start()
        host, port = self._listener.address
        return str(host), int(port), self._secret

    def _accept(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except (AuthenticationError, EOFError, ConnectionError):
                continue
            except OSError:  # the listener was closed
                return
            threading.Thread(target=self._reply, args=(connection,), daemon=True).start()

    def _reply(self, connection: Connection) -> None:
        with connection:
            try:
                connection.send((True, self.url(connection.recv())))
            except ServerError as error:
                connection.send((False, str(error)))


class RemoteServers:
    """The servers of one test run, seen from a worker process.

    Args:
        host, port, secret: what `SharedServers.listen` gave.
    """

    def __init__(self, host: str, port: int, secret: bytes) -> None:
        self._address = (host, port)
        self._secret = secret

    def url(self, name: str) -> str:
        """Give the URL of the server `name`, which is started the first time that any worker asks.

        Raises:
            ServerError: the server does not start.
        """
        with Client(self._address, authkey=self._secret) as connection:
            connection.send(name)
            is_running, answer = connection.recv()
        if not is_running:
            raise ServerError(answer)
        return str(answer)

    def close(self) -> None:
        """Nothing to end: the servers are the controller's."""
