"""Where an application's answers are kept."""

from __future__ import annotations

from colonnade.cache.answers import Answers
from colonnade.cache.memory import MemoryEntries
from colonnade.core.errors import DeclarationError
from colonnade.core.settings import Settings


def open_answers(settings: Settings) -> Answers | None:
    """Keep answers in Redis where there is one, else in each worker's memory; not at all with `CACHE=off`.

    Args:
        settings: `cache` and `redis_url` are read; nothing is asked of Redis yet.
    """
    if not settings.cache:
        return None
    if settings.redis_url is None:
        return Answers(MemoryEntries())
    try:
        from colonnade.cache.redis import RedisEntries  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise DeclarationError(f"REDIS_URL needs {error.name}: pip install colonnade[redis]") from None
    return Answers(RedisEntries(settings.redis_url.get_secret_value()))
