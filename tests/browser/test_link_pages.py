"""The pages that mailed links lead to, in a real browser: one button, one field, and what came of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.main import build
from colonnade import Base, Database, Settings
from colonnade.security.keys import derive_key
from colonnade.security.mailed_links import MailedLink, MailedLinks, state_of
from tests.browser.chromium import HOST, Browser, page
from tests.browser.conftest import Serve
from tests.shop import PASSWORD

pytestmark = pytest.mark.needs("chromium")

USER = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
KEY = "k" * 32
LINKS = MailedLinks(derive_key(KEY.encode(), b"mailed link"))


def signs_in(url: str, password: str) -> bool:
    """Tell whether the user gets in by a password."""
    answer = httpx.post(f"{url}/api/auth/token", data={"username": "ada", "password": password})
    return answer.status_code == 200


@pytest.mark.parametrize("width", [1280, 390])
def test_links_lead_to_pages_that_do_what_they_say(browser: Browser, serve: Serve, tmp_path: Path, width: int) -> None:
    """S78: nothing by being opened, everything by a click; a used link is told to be one; nothing asks another host."""
    settings = Settings(env="test", secret_key=SecretStr(KEY), _env_file=None)  # type: ignore[call-arg]
    file = tmp_path / "shop.db"
    url = serve(build(settings, Database(f"sqlite:///{file}", metadata=Base.metadata)))
    here = url.replace(HOST, "127.0.0.1")
    assert httpx.post(f"{here}/api/users", json=USER).status_code == 201
    with closing(sqlite3.connect(file)) as connection:
        (hashed,) = connection.execute("SELECT hashed_password FROM users").fetchone()
    verify = LINKS.write("verify-email", MailedLink("1", state_of(USER["email"], None)))
    reset = LINKS.write("reset-password", MailedLink("1", state_of(USER["email"], hashed, 0)))
    with page(browser, width=width) as tab:
        tab.open(f"{url}/verify-email?token={verify}")
        tab.wait_for("location.search === '' && document.querySelector('button') !== null")
        for told in ("Your address is verified.", "This link was used"):
            tab.value("document.querySelector('button').click()")
            tab.wait_for(f"document.querySelector('[role=status]').textContent.startsWith('{told}')")
            tab.open(f"{url}/verify-email?token={verify}")
            tab.wait_for("location.search === '' && !document.querySelector('form').hidden")
        tab.open(f"{url}/reset-password?token={reset}")
        tab.wait_for("location.search === '' && document.querySelector('input') !== null")
        assert tab.value("document.documentElement.scrollWidth") <= width
        assert signs_in(here, PASSWORD)
        for typed, told in (("nodigits", "A password needs"), ("difference-2", "Done")):
            tab.value(f"document.querySelector('input').value = '{typed}'; document.querySelector('button').click()")
            tab.wait_for(f"document.querySelector('[role=status]').textContent.startsWith('{told}')")
        assert signs_in(here, "difference-2")
        assert all(one.startswith(url) for one in tab.requests())
        assert not [text for text in tab.complaints() if "Content Security Policy" in text]
