"""What settings must not go to production with."""

from __future__ import annotations

from pathlib import Path

import pytest

from colonnade.core.deployment import check_deployment, refusals
from colonnade.core.finding import Finding
from colonnade.core.settings import Settings, SettingsError, load_settings

GOOD = {
    "SECRET_KEY": "0123456789abcdef" * 2,
    "ALLOWED_HOSTS": "api.example.org",
    "DATABASE_URL": "postgresql://api@db/shop",
}


def findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **environment: str) -> list[Finding]:
    """Look at these settings, and at no others."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        settings = load_settings(Settings)
    except SettingsError:
        return list(refusals())
    return list(check_deployment(settings))


@pytest.mark.parametrize("env", ["production", "staging", "development"])
def test_sound_settings_have_nothing_to_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, env: str) -> None:
    """C22: what production has by default is sound, and so is that of the environments before it."""
    assert findings(monkeypatch, tmp_path, **GOOD, ENV=env) == []


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY\tproduction needs one of its own"),
        ({"SECRET_KEY": "k" * 31}, "SECRET_KEY\tproduction needs at least 32 bytes"),
        ({"SECRET_KEY": "k" * 32}, "SECRET_KEY\tis long, and easily guessed"),
        ({"SQL_ECHO": "on"}, "SQL_ECHO\tproduction must not write every statement"),
        ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS\t* can't stand with credentials"),
        ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL\ta database in memory is lost"),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "TRUSTED_PROXIES\ttrusts everybody"),
        ({"ADMIN": "on"}, "ADMIN\tis on, and nothing says that the page is served over TLS"),
        ({"LOGIN_LIMIT": "off"}, "LOGIN_LIMIT\tis off"),
    ],
)
@pytest.mark.parametrize("env", ["production", "development"])
def test_settings_that_must_not_go_to_production_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], told: str, env: str
) -> None:
    """C13, C22, S66: each is told with what to do, in production's environment and before it, and no secret is shown."""
    (finding,) = findings(monkeypatch, tmp_path, **GOOD | environment | {"ENV": env})
    assert f"{finding.place}\t{finding.what}".startswith(told)
    assert not finding.is_hint
    assert "kkkk" not in repr(finding)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"DATABASE_URL": "sqlite:///shop.db"}, "DATABASE_URL\tSQLite is one host's"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS\tany Host is answered"),
        ({"RATE_LIMIT": "off"}, "RATE_LIMIT\tis off"),
        ({"WORKERS": "2"}, "REDIS_URL\t2 workers count"),
        ({"ALLOWED_ORIGINS": "http://shop.example.org"}, "ALLOWED_ORIGINS\thttp://shop.example.org"),
        ({"LOG_LEVEL": "debug"}, "LOG_LEVEL\tdebug writes more"),
        ({"ADMIN_EMAIL": "a@example.org", "ADMIN_PASSWORD": "analytical-1"}, "ADMIN_PASSWORD\tstays"),
    ],
)
def test_a_hint_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    """What is worth a thought is told as such."""
    (finding,) = findings(monkeypatch, tmp_path, **GOOD | environment)
    assert f"{finding.place}\t{finding.what}".startswith(told)
    assert finding.is_hint


def test_everything_that_production_refuses_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """C22: three settings that are wrong are three findings, each by its name."""
    found = findings(monkeypatch, tmp_path, SECRET_KEY="short", SQL_ECHO="on", ENV="production")
    assert [finding.place for finding in found] == ["DATABASE_URL", "SECRET_KEY", "SQL_ECHO"]
