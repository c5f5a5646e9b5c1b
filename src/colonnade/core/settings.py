"""The settings: every name that the environment or `.env` may set, read once into one frozen value.

A value that does not fit is reported by name, in one line, before anything else is touched; the value of a secret is
never repeated. An application that has settings of its own subclasses `Settings` and hands the class to
`load_settings`.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from colonnade.core.errors import DeclarationError
from colonnade.core.setting_values import (
    check_address,
    check_host,
    check_origin,
    check_prefix,
    check_public_url,
    check_rate,
    check_sender,
    lowered,
    masked_url,
    split_list,
    url_of,
)

DEFAULT_DATABASE_URL = "sqlite:///colonnade.db"
DEFAULT_SECRET_KEY = "for-development-only-and-known-to-everybody"  # noqa: S105 - production refuses it
DEVELOPMENT_ORIGINS = ("http://localhost:3000", "http://localhost:5173")
MINIMUM_KEY_BYTES = 32
DEFAULT_LOGIN_LIMIT = "5/minute"

_MESSAGES = {
    "bool_parsing": "write on or off",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "too_short": "write at least {min_length} characters",
    "too_long": "write at most {max_length} characters",
}

SettingsT = TypeVar("SettingsT", bound="Settings")


class SettingsError(DeclarationError):
    """The environment sets something that can't work; the text is one line that names each setting."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many database connections a process keeps, for how long, and how long each waits.

    Args:
        size: connections that stay open.
        max_overflow: connections opened beyond `size` under load and closed afterwards.
        timeout: seconds that a request waits for a connection before it is answered 503.
        recycle: seconds after which a connection is replaced at its next checkout; -1 for never.
        pre_ping: test a connection that has been idle before it is handed out.
        echo: log what happens to connections.
        statement_timeout: seconds after which the database stops a statement; a quarter more, and this side gives it up.
        lock_timeout: seconds that a statement waits for somebody's lock, whole ones on MariaDB; SQLite has but one writer.
    """

    size: int = 20
    max_overflow: int = 0
    timeout: float = 2.0
    recycle: int = 1800
    pre_ping: bool = True
    echo: bool = False
    statement_timeout: float = 5.0
    lock_timeout: float = 2.0


class PoolProfile(NamedTuple):
    """The three figures that a named profile sets (guide B's small, medium and large application)."""

    size: int
    max_overflow: int
    recycle: int


POOL_PROFILES: Mapping[str | None, PoolProfile] = {
    None: PoolProfile(size=20, max_overflow=0, recycle=1800),
    "small": PoolProfile(size=5, max_overflow=10, recycle=1800),
    "medium": PoolProfile(size=20, max_overflow=20, recycle=1800),
    "large": PoolProfile(size=50, max_overflow=50, recycle=3600),
}


def _from_profile(figure: str) -> Callable[[dict[str, Any]], Any]:
    def default(settings: dict[str, Any]) -> Any:
        return getattr(POOL_PROFILES[settings.get("pool_profile")], figure)

    return default


def _in_development(settings: dict[str, Any]) -> bool:
    return settings.get("env") == "development"


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
Rate = Annotated[str | None, BeforeValidator(check_rate)]
Word = BeforeValidator(lowered)


class Settings(BaseSettings):
    """Every setting of an application, with its unit and default; read from the environment, then from `.env`.

    An empty value counts as not set. `on` and `off` are the words for switches. Secrets, and URLs that may carry one,
    are `SecretStr`: their value is had by `.get_secret_value()` only.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )

    env: Annotated[Literal["development", "staging", "production", "test"], Word] = "development"
    database_url: Annotated[
        SecretStr, AfterValidator(url_of("sqlite", "postgresql", "postgres", "mysql", "mariadb"))
    ] = SecretStr(DEFAULT_DATABASE_URL)
    redis_url: Annotated[SecretStr, AfterValidator(url_of("redis", "rediss", "unix"))] | None = None
    secret_key: SecretStr = SecretStr(DEFAULT_SECRET_KEY)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    public_url: Annotated[str, AfterValidator(check_public_url)] = Field(
        default_factory=lambda settings: f"http://127.0.0.1:{settings.get('port', 8000)}"
    )
    api_prefix: Annotated[str, AfterValidator(check_prefix)] = "/api"
    allowed_origins: CommaList = ()
    allowed_hosts: CommaList = ()
    trusted_proxies: CommaList = ()

    pool_profile: Annotated[Literal["small", "medium", "large"], Word] | None = None
    pool_size: int = Field(default_factory=_from_profile("size"), ge=1)
    pool_max_overflow: int = Field(default_factory=_from_profile("max_overflow"), ge=0)
    pool_timeout: float = Field(default=2.0, gt=0, le=60)
    pool_recycle: int = Field(default_factory=_from_profile("recycle"), ge=-1)
    pool_pre_ping: bool = True
    pool_echo: bool = False
    statement_timeout: float = Field(default=5.0, gt=0, le=3600)
    lock_timeout: float = Field(default=2.0, gt=0, le=3600)

    rate_limit: Rate = "100/minute"
    login_limit: Rate = DEFAULT_LOGIN_LIMIT
    common_passwords: FilePath | None = None
    cache: bool = True
    response_wrapper: bool = False
    sql_echo: bool = False
    sql_comments: bool = False
    slow_statement: float = Field(default=0.5, ge=0)
    log_level: Annotated[Literal["debug", "info", "warning", "error", "critical"], Word] = Field(
        default_factory=lambda settings: "warning" if settings.get("env") == "test" else "info"
    )
    log_format: Annotated[Literal["json", "console"], Word] = Field(
        default_factory=lambda settings: "console" if _in_development(settings) else "json"
    )
    server_timing: bool = Field(default_factory=_in_development)
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    metrics_dir: Path | None = None
    jobs: bool = Field(default_factory=lambda settings: settings.get("env") != "test")
    smtp_url: Annotated[SecretStr, AfterValidator(url_of("smtp", "smtps"))] | None = None
    mail_from: Annotated[str, AfterValidator(check_sender)] = "no-reply@localhost"
    webhook_networks: CommaList = ()
    admin: bool = Field(default_factory=_in_development)
    admin_email: EmailStr | None = None
    admin_password: SecretStr | None = Field(default=None, min_length=8, max_length=128)
    seed: int = Field(default_factory=lambda settings: 1000 if _in_development(settings) else 0, ge=0)

    @field_validator("allowed_origins", mode="after")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_origin(origin) for origin in origins)

    @field_validator("allowed_hosts", mode="after")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_host(host) for host in hosts)

    @field_validator("trusted_proxies", "webhook_networks", mode="after")
    @classmethod
    def _check_proxies(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_address(address) for address in addresses)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.admin_email is None) != (self.admin_password is None):
            raise ValueError("ADMIN_EMAIL and ADMIN_PASSWORD: set both or neither")
        if self.env == "production":
            self._check_production()
        return self

    def _check_production(self) -> None:
        missing = []
        if "database_url" not in self.model_fields_set:
            missing.append("DATABASE_URL: production needs one of its own")
        key = self.secret_key.get_secret_value()
        if key == DEFAULT_SECRET_KEY:
            missing.append("SECRET_KEY: production needs one of its own, e.g. from `openssl rand -hex 32`")
        elif len(key.encode()) < MINIMUM_KEY_BYTES:
            # A short key in development is a nuisance; in production it is a way in (RFC 7518 §3.2).
            missing.append(f"SECRET_KEY: production needs at least {MINIMUM_KEY_BYTES} bytes")
        if self.sql_echo:
            missing.append("SQL_ECHO: production must not write every statement, and what is bound to it, into its log")
        if missing:
            raise ValueError("; ".join(missing))

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Browser origins that may call with credentials: the list given, else in development the two usual ones."""
        if self.allowed_origins or self.env != "development":
            return self.allowed_origins
        return DEVELOPMENT_ORIGINS

    @property
    def pool(self) -> PoolSettings:
        """The pool's figures: the profile's, each replaced by the one that is set by itself."""
        return PoolSettings(
            size=self.pool_size,
            max_overflow=self.pool_max_overflow,
            timeout=self.pool_timeout,
            recycle=self.pool_recycle,
            pre_ping=self.pool_pre_ping,
            echo=self.pool_echo,
            statement_timeout=self.statement_timeout,
            lock_timeout=self.lock_timeout,
        )

    def shown(self) -> dict[str, str]:
        """Give each setting as a person may see it: upper-case name to text, secrets and passwords hidden."""
        return {name.upper(): _shown(name, getattr(self, name)) for name in type(self).model_fields}


def _shown(name: str, value: object) -> str:
    match value:
        case SecretStr():
            return masked_url(value.get_secret_value()) if name.endswith("_url") else "********"
        case bool():
            return "on" if value else "off"
        case tuple():
            return ",".join(str(item) for item in value)
        case None:
            return "off" if name in {"rate_limit", "login_limit"} else ""
        case _:
            return str(value)


def load_settings(settings_class: type[SettingsT], /, **given: Any) -> SettingsT:
    """Read the settings from the environment and `.env`.

    Args:
        settings_class: `Settings`, or an application's own subclass of it.
        **given: values that stand above the environment, e.g. from the command line.

    Returns:
        The frozen settings.

    Raises:
        SettingsError: a value does not fit; one line that names each such setting, without the value of a secret.
    """
    try:
        return settings_class(**given)
    except ValidationError as error:
        # A default that depends on a setting that failed is not at fault itself.
        faults = "; ".join(
            _told(settings_class, fault)
            for fault in error.errors(include_url=False)
            if fault["type"] != "default_factory_not_called"
        )
        # The cause would print the environment's values in a traceback, secrets among them.
        raise SettingsError(faults) from None


def settings_or_exit(settings_class: type[SettingsT], /, **given: Any) -> SettingsT:
    """Read the settings as `load_settings` does; on an error write its line to stderr and leave with exit code 2."""
    try:
        return load_settings(settings_class, **given)
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)  # noqa: T201 - there is no logging before the settings
        raise SystemExit(2) from None


def _told(settings_class: type[Settings], fault: ErrorDetails) -> str:
    ours = _MESSAGES.get(fault["type"])
    message = ours.format_map(fault.get("ctx", {})) if ours else fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    name = str(fault["loc"][0])
    field = settings_class.model_fields.get(name)
    value = fault["input"]
    told = name.upper()
    if field is not None and isinstance(value, str) and "Secret" not in str(field.annotation):
        told += f"={value!r}"
    return f"{told}: {message}{_nearest(fault)}"


def _nearest(fault: ErrorDetails) -> str:
    """Point at the word that was probably meant, where a setting takes one of a few."""
    if fault["type"] != "literal_error":
        return ""
    words = fault["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
    near = difflib.get_close_matches(str(fault["input"]), words, n=1)
    return f"; did you mean {near[0]}?" if near else ""
