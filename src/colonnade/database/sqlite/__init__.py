"""SQLite: short statements where they stand, what may wait on threads, changes grouped into durable commits."""

from colonnade.database.sqlite.connection import configure
from colonnade.database.sqlite.diagnosis import diagnose
from colonnade.database.sqlite.driver import SQLiteDriver

__all__ = ["SQLiteDriver", "configure", "diagnose"]
