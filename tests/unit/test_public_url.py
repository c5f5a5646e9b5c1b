"""Where mailed links and identity providers lead people: not to their own machine, once it is production that does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    AccountMixin,
    Accounts,
    Database,
    DeclarationError,
    IntegerId,
    Mail,
    OpenIDProvider,
    Settings,
    create_app,
)
from colonnade.cli.check.application import check_links
from colonnade.core.setting_values import is_local


class Circle(DeclarativeBase):
    """The base of this file's model."""


class Insider(AccountMixin, IntegerId, Circle):
    """Somebody who gets letters."""

    __tablename__ = "insiders"
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)


PRODUCTION: dict[str, Any] = {"env": "production", "secret_key": "k" * 32, "database_url": "sqlite:///unused.db"}
SENDING = {**PRODUCTION, "smtp_url": "smtp://mail.test"}


def build(folder: Path, values: dict[str, Any], *, mails: bool = False, joins: bool = False) -> Any:
    """Make an application whose accounts get letters, or come from a provider."""
    settings = Settings(_env_file=None, **values)
    providers = [OpenIDProvider("id", "https://id.test", "circle", SecretStr("x"))] if joins else []
    mail = Mail(folder, settings) if mails else None
    accounts = Accounts(Insider, mail=mail, public_url=settings.public_url, providers=providers)
    return create_app(
        [], accounts=accounts, settings=settings, database=Database("sqlite://", metadata=Circle.metadata)
    )


@pytest.mark.parametrize(
    ("values", "parts"),
    [(SENDING, {"mails": True}), (PRODUCTION, {"joins": True}), (SENDING, {"mails": 1, "joins": 1})],
)
def test_production_sends_nobody_to_his_own_machine(
    tmp_path: Path, values: dict[str, Any], parts: dict[str, bool]
) -> None:
    """S27, S78: the address that PUBLIC_URL has by default is refused at the start, and another one is not."""
    with pytest.raises(DeclarationError, match=r"^PUBLIC_URL: http://127.0.0.1:8000 "):
        build(tmp_path, values, **parts)
    build(tmp_path, {**values, "public_url": "https://circle.test"}, **parts)


def test_who_sends_nobody_anywhere_needs_no_address(tmp_path: Path) -> None:
    """Without accounts of that kind, without a server for mail, or before production."""
    build(tmp_path, SENDING)
    build(tmp_path, PRODUCTION, mails=True)
    build(tmp_path, {**SENDING, "env": "staging"}, mails=True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:8000", ["mend"]),
        ("http://circle.test", ["hint"]),
        ("https://circle.test", []),
    ],
)
def test_a_deployment_is_told_before(tmp_path: Path, url: str, told: list[str]) -> None:
    """S27: by `colonnade check --deploy`, in development too."""
    app = build(tmp_path, {"env": "development", "public_url": url}, mails=True)
    assert ["hint" if finding.is_hint else "mend" for finding in check_links(app)] == told
    assert list(check_links(build(tmp_path, {"env": "development", "public_url": url}))) == []


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost", True),
        ("https://shop.localhost:8443/app", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", True),
        ("https://example.org", False),
        ("http://10.0.0.1", False),
    ],
)
def test_a_local_address_is_known(url: str, local: bool) -> None:
    """RFC 6761 §6.3, RFC 1122 §3.2.1.3: what is this machine to whoever opens it."""
    assert is_local(url) is local
