"""The test kit: real servers that start by themselves, a fresh database for each test, a pytest plugin.

- `colonnade.testing.plugin`: the fixture `database_url` and its friends, for pytest.
- `PostgreSQL`, `MariaDB`, `Valkey`: throw-away servers for tests that stop, kill or restart them, and for benchmarks.
- `colonnade.testing.faults.FaultProxy`: stands before a server and makes its network late, cut, reset or silent.
- `colonnade.testing.memory.memory_database`: a SQLite database in memory for one test, its tables made.
- `colonnade.testing.rollback.rolled_back`: a test on a real database that leaves no row behind.
- `colonnade.testing.factories.factory_for`: fake data for a model or a schema.

The last four are imported from their own modules, so that the plug-in loads neither SQLAlchemy nor Faker by itself.
"""

from colonnade.testing.mariadb import MariaDB
from colonnade.testing.postgresql import PostgreSQL
from colonnade.testing.server import Server, ServerError, ServerMissingError
from colonnade.testing.valkey import Valkey

__all__ = ["MariaDB", "PostgreSQL", "Server", "ServerError", "ServerMissingError", "Valkey"]
