"""The test kit: real servers that start by themselves, a fresh database for each test, a pytest plugin.

- `colonnade.testing.plugin`: the fixture `database_url` and its friends, for pytest.
- `PostgreSQL`, `MariaDB`, `Valkey`: throw-away servers for tests that stop, kill or restart them, and for benchmarks.
"""

from colonnade.testing.mariadb import MariaDB
from colonnade.testing.postgresql import PostgreSQL
from colonnade.testing.server import Server, ServerError, ServerMissingError
from colonnade.testing.valkey import Valkey

__all__ = ["MariaDB", "PostgreSQL", "Server", "ServerError", "ServerMissingError", "Valkey"]
