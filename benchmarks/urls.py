"""A plain database URL, as users write it, with the driver that each contender wants."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

_ASYNC = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_SYNC = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}


def from_environment() -> str:
    """The plain URL of the database that this contender is to serve."""
    return os.environ["DATABASE_URL"]


def dialect(url: str) -> str:
    """`postgresql` or `sqlite`."""
    return urlsplit(url).scheme


def async_url(url: str) -> str:
    """The same database through asyncpg or aiosqlite."""
    return _with_driver(url, _ASYNC)


def sync_url(url: str) -> str:
    """The same database through psycopg or sqlite3."""
    return _with_driver(url, _SYNC)


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///...` URL."""
    return Path(url.removeprefix("sqlite:///"))


def _with_driver(url: str, drivers: dict[str, str]) -> str:
    scheme, rest = url.split("://", 1)
    return f"{drivers[scheme]}://{rest}"
