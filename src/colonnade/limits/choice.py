"""Where an application's requests are counted."""

from __future__ import annotations

from colonnade.core.errors import DeclarationError
from colonnade.core.settings import Settings
from colonnade.database.database import Database
from colonnade.limits.limits import Limits
from colonnade.limits.sql import SqlCounts


def open_limits(settings: Settings, database: Database) -> Limits:
    """Count in Redis where there is one, in SQL where several workers serve without, else in memory.

    Args:
        settings: `redis_url`, `workers` and `rate_limit` are read.
        database: the application's own; nothing is asked of it yet.
    """
    if settings.redis_url is not None:
        try:
            from colonnade.limits.redis import RedisCounts  # noqa: PLC0415  # an extra
        except ModuleNotFoundError as error:
            raise DeclarationError(f"REDIS_URL needs {error.name}: pip install colonnade[redis]") from None
        return Limits(RedisCounts(settings.redis_url.get_secret_value()))
    return Limits(SqlCounts(database) if settings.workers > 1 else None)
