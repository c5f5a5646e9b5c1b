"""What the environment may say, and what is told to whoever says it wrongly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from colonnade.core.setting_values import masked_url
from colonnade.core.settings import (
    DEFAULT_SECRET_KEY,
    DEVELOPMENT_ORIGINS,
    PoolSettings,
    Settings,
    SettingsError,
    load_settings,
    settings_or_exit,
)

PRODUCTION = {
    "ENV": "production",
    "DATABASE_URL": "postgresql://api:hunter22@db.example/colonnade",
    "SECRET_KEY": "k" * 32,
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside: an empty folder, and none of the names in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    """Load the settings with these names set."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(Settings)


def refused(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Load the settings with these names set and give the line that refuses them."""
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, **environment)
    return str(caught.value)


def test_defaults_are_a_development_server_on_port_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    """S65: with nothing set it is development, port 8000, an embedded SQLite file."""
    settings = read(monkeypatch)
    assert (settings.env, settings.port) == ("development", 8000)
    assert settings.database_url.get_secret_value() == "sqlite:///colonnade.db"


def test_serving_processes_run_jobs_except_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """JOBS is on, but in test it has to be asked for: nothing runs beside a test that it does not know of."""
    assert read(monkeypatch).jobs
    assert not read(monkeypatch, ENV="test").jobs
    assert read(monkeypatch, ENV="test", JOBS="on").jobs


def test_the_database_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """S20, S66: DATABASE_URL is taken from the environment."""
    settings = read(monkeypatch, DATABASE_URL="mysql://root@127.0.0.1/shop")
    assert settings.database_url.get_secret_value() == "mysql://root@127.0.0.1/shop"


def test_the_environment_stands_above_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.env` is read, and the environment wins over it."""
    (tmp_path / ".env").write_text("PORT=9001\nWORKERS=3\n")
    settings = read(monkeypatch, PORT="9002")
    assert (settings.port, settings.workers) == (9002, 3)


def test_an_empty_value_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PORT=` means the default, as an unset name does."""
    assert read(monkeypatch, PORT="").port == 8000


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting can't be changed after it was read."""
    with pytest.raises(ValidationError, match="frozen"):
        read(monkeypatch).port = 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ENV", "prodution", "did you mean production?"),
        ("PORT", "80a0", "PORT='80a0': write a whole number"),
        ("PORT", "65536", "less than or equal to 65535"),
        ("WORKERS", "0", "greater than or equal to 1"),
        ("CACHE", "of", "CACHE='of': write on or off"),
        ("LOG_LEVEL", "inof", "did you mean info?"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT='xml'"),
        ("POOL_PROFILE", "huge", "POOL_PROFILE='huge'"),
        ("POOL_SIZE", "-3", "POOL_SIZE='-3'"),
        ("API_PREFIX", "api/", "API_PREFIX='api/'"),
        ("RATE_LIMIT", "100 per minute", "RATE_LIMIT='100 per minute'"),
        ("RATE_LIMIT", "0/minute", "RATE_LIMIT='0/minute'"),
        ("TRUSTED_PROXIES", "proxy.example", "'proxy.example' is no IP address"),
        ("ALLOWED_HOSTS", "https://shop.example.org", "'https://shop.example.org' is no host"),
        ("ALLOWED_HOSTS", "shop:8000", "'shop:8000' is no host"),
        ("DATABASE_URL", "oracle://x", "DATABASE_URL: write a URL that begins with sqlite://"),
        ("RATE_LIMIT", "{x}", "RATE_LIMIT='{x}'"),
        ("REDIS_URL", "localhost", "REDIS_URL: write a URL"),
        ("SMTP_URL", "http://x", "SMTP_URL: write a URL"),
        ("MAIL_FROM", "Shop", "MAIL_FROM='Shop': write an address"),
        ("MAIL_FROM", "a@x.org, b@x.org", "MAIL_FROM='a@x.org, b@x.org': write an address"),
        ("ADMIN_EMAIL", "nobody", "ADMIN_EMAIL='nobody'"),
        ("ADMIN_PASSWORD", "short", "ADMIN_PASSWORD: write at least 8 characters"),
        ("SEED", "many", "SEED='many'"),
    ],
)
def test_a_misspelt_value_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """A value that does not fit is refused in one line, by its name."""
    line = refused(monkeypatch, **{name: value})
    assert told in line
    assert line.startswith(name)
    assert "\n" not in line


def test_every_misspelt_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong settings are one line that names both and none that only depends on them."""
    line = refused(monkeypatch, ENV="prod", PORT="x")
    assert [part.partition("=")[0] for part in line.split("; ") if "=" in part] == ["ENV", "PORT"]


def test_a_misspelt_value_ends_the_program_with_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line goes to stderr and the exit code is 2."""
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SystemExit) as left:
        settings_or_exit(Settings)
    assert left.value.code == 2
    assert capsys.readouterr().err == "settings: PORT='http': write a whole number\n"


@pytest.mark.parametrize("name", ["SECRET_KEY", "ADMIN_PASSWORD", "DATABASE_URL", "REDIS_URL", "SMTP_URL"])
def test_the_value_of_a_secret_is_never_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """S66: a secret that does not fit is refused without being repeated."""
    assert "qx7!" not in refused(monkeypatch, **{**PRODUCTION, name: "qx7!"})


def test_secrets_are_hidden_in_repr_and_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """S66: neither `repr` nor `shown` has a secret, and a URL keeps all but its password and query."""
    settings = read(monkeypatch, **PRODUCTION, SMTP_URL="smtp://me:hunter22@mail.example?token=hunter22")
    assert "hunter22" not in repr(settings) + str(settings.shown())
    assert PRODUCTION["SECRET_KEY"] not in repr(settings) + str(settings.shown())
    assert settings.shown()["DATABASE_URL"] == "postgresql://api:********@db.example/colonnade"
    assert settings.shown()["SMTP_URL"] == "smtp://me:********@mail.example"


def test_a_password_with_an_at_sign_is_hidden_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password ends at the last `@` before the host, so none of it is left standing."""
    settings = read(monkeypatch, DATABASE_URL="postgresql://u:p@ss:w@host/db")
    assert settings.shown()["DATABASE_URL"] == "postgresql://u:********@host/db"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:pa?ss@host/db", "postgresql://u:********@host/db"),
        ("postgresql://u:p/a?s@s@host/db?ssl=x", "postgresql://u:********@host/db"),
        ("redis://:pa?ss@cache:6379/0", "redis://:********@cache:6379/0"),
        ("postgresql://host:5432/db?password=x@y", "postgresql://********"),
        ("postgresql://host/db?password=x@y", "postgresql://host/db"),
        ("postgresql://u@host/db", "postgresql://u@host/db"),
        ("sqlite:////data/a@b.db", "sqlite:////data/a@b.db"),
    ],
)
def test_no_part_of_a_password_is_shown(url: str, shown: str) -> None:
    """S66: nobody escapes a password who does not know that he has to; whatever stands in it is hidden."""
    assert masked_url(url) == shown


def test_a_host_is_a_name_without_scheme_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """C23: names, names below one, addresses; in small letters, as they are compared."""
    hosts = read(monkeypatch, ALLOWED_HOSTS="Shop.example.org, *.example.com, [::1], 10.0.0.1, *").allowed_hosts
    assert hosts == ("shop.example.org", "*.example.com", "[::1]", "10.0.0.1", "*")


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL: production needs one of its own"),
        ({"SECRET_KEY": ""}, "SECRET_KEY: production needs one of its own"),
        ({"SECRET_KEY": DEFAULT_SECRET_KEY}, "SECRET_KEY: production needs one of its own"),
        ({"SECRET_KEY": "k" * 31}, "SECRET_KEY: production needs at least 32 bytes"),
    ],
)
def test_production_refuses_to_start_on_defaults(
    monkeypatch: pytest.MonkeyPatch, left_out: dict[str, str], told: str
) -> None:
    """C22: production needs a database and a long key of its own."""
    assert told in refused(monkeypatch, **{**PRODUCTION, **left_out})


def test_production_with_both_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """C22: with its own database and key production is content, quiet and unseeded."""
    settings = read(monkeypatch, **PRODUCTION)
    assert (settings.seed, settings.admin, settings.log_format) == (0, False, "json")


@pytest.mark.parametrize(
    ("profile", "pool"),
    [
        ("", PoolSettings(20, 0, 2.0, 1800, True)),
        ("small", PoolSettings(5, 10, 2.0, 1800, True)),
        ("medium", PoolSettings(20, 20, 2.0, 1800, True)),
        ("large", PoolSettings(50, 50, 2.0, 3600, True)),
    ],
)
def test_a_pool_profile_sets_its_figures(monkeypatch: pytest.MonkeyPatch, profile: str, pool: PoolSettings) -> None:
    """S40, S41, C9: each named profile has its figures, and no profile means 20/0 with recycle 1800."""
    assert read(monkeypatch, POOL_PROFILE=profile).pool == pool


def test_each_pool_figure_can_be_set_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """S20: a single figure stands above the profile's."""
    settings = read(
        monkeypatch,
        POOL_PROFILE="large",
        POOL_SIZE="7",
        POOL_MAX_OVERFLOW="1",
        POOL_TIMEOUT="0.5",
        POOL_RECYCLE="-1",
        POOL_PRE_PING="off",
        STATEMENT_TIMEOUT="30",
        LOCK_TIMEOUT="0.2",
    )
    assert settings.pool == PoolSettings(7, 1, 0.5, -1, False, statement_timeout=30, lock_timeout=0.2)


@pytest.mark.parametrize(
    ("env", "listed", "origins"),
    [
        ("development", "", DEVELOPMENT_ORIGINS),
        ("staging", "", ()),
        ("test", "", ()),
        ("development", "https://a.example", ("https://a.example",)),
        ("staging", "https://a.example, https://b.example:8443", ("https://a.example", "https://b.example:8443")),
    ],
)
def test_cors_origins_follow_the_environment(
    monkeypatch: pytest.MonkeyPatch, env: str, listed: str, origins: tuple[str, ...]
) -> None:
    """S24: development has the two usual origins, elsewhere the list counts, and no list means none."""
    assert read(monkeypatch, ENV=env, ALLOWED_ORIGINS=listed).cors_origins == origins


@pytest.mark.parametrize(
    "origin", ["*", "https://a.example/", "a.example", "https://a.example/x", "https://u@a.example"]
)
def test_an_origin_that_browsers_refuse_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """C13: `*` can't stand with credentials, and what is no origin would never match."""
    assert refused(monkeypatch, ALLOWED_ORIGINS=origin).startswith("ALLOWED_ORIGINS")


def test_off_lifts_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """S32: RATE_LIMIT=off is no limit, and 100 a minute is the default."""
    assert read(monkeypatch).rate_limit == "100/minute"
    assert read(monkeypatch, RATE_LIMIT="off").rate_limit is None


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRUSTED_PROXIES takes addresses and networks; unset it trusts nobody."""
    assert read(monkeypatch).trusted_proxies == ()
    assert read(monkeypatch, TRUSTED_PROXIES="10.0.0.1,10.1.0.0/16").trusted_proxies == ("10.0.0.1", "10.1.0.0/16")


def test_the_first_administrator_needs_address_and_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """ADMIN_EMAIL alone makes no administrator, so it is refused."""
    assert refused(monkeypatch, ADMIN_EMAIL="root@example.org").startswith("ADMIN_EMAIL and ADMIN_PASSWORD")


def test_an_application_adds_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subclass of Settings reads its own names beside ours."""

    class ShopSettings(Settings):
        """Settings with one of the application's own."""

        currency: str = "EUR"

    monkeypatch.setenv("CURRENCY", "CHF")
    assert load_settings(ShopSettings).currency == "CHF"


def test_the_example_file_names_every_setting() -> None:
    """S1: `.env.example` shows each setting, and none that does not exist."""
    example = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}
