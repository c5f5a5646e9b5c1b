"""What settings must not go to production with; those that are plainly wrong there are refused by `Settings` itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network

from colonnade.core.finding import Finding
from colonnade.core.settings import MINIMUM_KEY_BYTES, Settings, SettingsError, load_settings

_NEXT_SETTING = re.compile(r"; (?=[A-Z][A-Z_]+[:=])")

VARIETY = 10
"""Different characters that a random secret of 32 bytes has, and more."""


def check_deployment(settings: Settings) -> Iterator[Finding]:
    """Look at settings as if they were production's.

    Args:
        settings: as they were read, of whatever environment.
    """
    yield from refusals()
    yield from _secrets(settings)
    yield from _openness(settings)
    yield from _processes(settings)


def refusals() -> Iterator[Finding]:
    """Have `Settings` say what it would refuse in production; each part of its line names a setting."""
    try:
        load_settings(Settings, env="production")
    except SettingsError as error:
        for part in _NEXT_SETTING.split(str(error)):
            place, _, what = part.partition(": ")
            yield Finding(place.partition("=")[0], what or part, "see .env.example; production refuses to start")


def _secrets(settings: Settings) -> Iterator[Finding]:
    key = settings.secret_key.get_secret_value()
    if len(key.encode()) >= MINIMUM_KEY_BYTES and len(set(key)) < VARIETY:
        yield Finding("SECRET_KEY", "is long, and easily guessed", "make one: openssl rand -hex 32")
    # On by default in development only.
    if settings.admin and "admin" in settings.model_fields_set and not settings.trusted_proxies:
        yield Finding(
            "ADMIN",
            "is on, and nothing says that the page is served over TLS",
            "serve it behind a proxy with TLS that TRUSTED_PROXIES names, or set ADMIN=off",
        )
    if settings.admin_password is not None:
        yield Finding(
            "ADMIN_PASSWORD",
            "stays in the environment",
            "take it out when the first administrator has signed in",
            is_hint=True,
        )


def _openness(settings: Settings) -> Iterator[Finding]:
    if any("/" in address and ip_network(address).prefixlen == 0 for address in settings.trusted_proxies):
        yield Finding(
            "TRUSTED_PROXIES", "trusts everybody, so anybody can claim any address", "name the proxies that there are"
        )
    if plain := [origin for origin in settings.allowed_origins if origin.startswith("http://")]:
        yield Finding(
            "ALLOWED_ORIGINS",
            f"{plain[0]} is not served over TLS, so whoever is on its way can call with its users' credentials",
            "list https:// origins",
            is_hint=True,
        )
    if not settings.allowed_hosts:
        yield Finding("ALLOWED_HOSTS", "any Host is answered", "list the names that this API has", is_hint=True)
    if settings.rate_limit is None:
        yield Finding("RATE_LIMIT", "is off", "set e.g. 100/minute, or limit in front of it", is_hint=True)
    if settings.login_limit is None:
        yield Finding("LOGIN_LIMIT", "is off, so passwords can be guessed without end", "set e.g. 5/minute")
    if settings.log_level == "debug":
        yield Finding("LOG_LEVEL", "debug writes more than production should keep", "set info", is_hint=True)


def _processes(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url.get_secret_value()
    if url.startswith("sqlite"):
        _, _, path = url.partition("://")
        if path.strip("/") in {"", ":memory:"} or "mode=memory" in path:
            yield Finding("DATABASE_URL", "a database in memory is lost with its process", "name a file, or a server")
        else:
            yield Finding(
                "DATABASE_URL",
                "SQLite is one host's: a second host would have a database of its own",
                "serve from one host, or use PostgreSQL or MariaDB",
                is_hint=True,
            )
    if settings.workers > 1 and settings.redis_url is None:
        yield Finding(
            "REDIS_URL",
            f"{settings.workers} workers count requests in the database, a statement or two for each",
            "name a Redis, or let it be where the load is small",
            is_hint=True,
        )
