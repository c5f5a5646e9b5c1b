"""The administrator's page in a real browser that reaches no other host."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.main import build
from app.models import Base
from colonnade import Database, Settings
from tests.back_office import ADMIN, PASSWORD
from tests.browser.chromium import HOST, Browser, Page, page
from tests.browser.conftest import Serve

SAVE = ".card-footer button[type=submit]:not([name])"

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(params=[1280, 390], ids=str)
def tab(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A tab as wide as a desk's screen or a telephone's, without anybody's cookies."""
    with page(browser, width=request.param) as opened:
        opened.call("Network.clearBrowserCookies")
        yield opened


@pytest.fixture
def office(serve: Serve) -> str:
    """The address of the reference application with its administrator."""
    given = {"env": "test", "admin": True, "admin_email": ADMIN, "admin_password": PASSWORD}
    settings = Settings(_env_file=None, **given)
    return serve(build(settings, Database("sqlite://", pool=settings.pool, metadata=Base.metadata)))


def keep(tab: Page, name: str) -> None:
    """Keep a picture for a person to look at, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        width = tab.value("innerWidth")
        tab.screenshot(Path(folder) / f"admin-{name}-{width}.png")


def arrive(tab: Page, path: str, text: str = "") -> None:
    """Wait until a page is there whole, with a text on it."""
    seen = f"document.body.innerText.includes({json.dumps(text)})"
    tab.wait_for(f"location.pathname === {json.dumps(path)} && document.readyState === 'complete' && {seen}")


def fill(tab: Page, **fields: str) -> None:
    """Type into the fields of a form, by their names."""
    for name, text in fields.items():
        tab.value(f"document.querySelector('[name={name}]').value = {json.dumps(text)}")


def press(tab: Page, selector: str) -> None:
    """Press what a selector finds, once it is there."""
    tab.wait_for(f"!!document.querySelector({json.dumps(selector)})")
    tab.value(f"document.querySelector({json.dumps(selector)}).click()")


def choose(tab: Page, name: str) -> None:
    """Press an action of the first row, and confirm it."""
    press(tab, f"tbody [data-sa-name={name}]")
    tab.wait_for("!!document.querySelector('#modal-action.show')")
    press(tab, "#actionSubmit")


def sign_in(tab: Page, office: str) -> None:
    """Log in by the form."""
    tab.open(f"{office}/admin/")
    arrive(tab, "/admin/login")
    keep(tab, "login")
    fill(tab, username=ADMIN, password=PASSWORD)
    press(tab, "form button[type=submit]")
    arrive(tab, "/admin/", "Products")


def rename_by_api(office: str, name: str) -> None:
    """Change the first product as somebody else would."""
    with httpx.Client(base_url=office.replace(HOST, "127.0.0.1"), headers={"Host": HOST}) as client:
        token = client.post("/api/auth/token", data={"username": ADMIN, "password": PASSWORD}).json()["access_token"]
        answer = client.patch("/api/products/1", json={"name": name}, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text


def test_the_plots_move(tab: Page, office: str) -> None:
    """S57, S58: the page of operations draws requests, latency, pool and jobs while one looks."""
    sign_in(tab, office)
    tab.open(f"{office}/admin/operations")
    arrive(tab, "/admin/operations", "Jobs that are not done")
    drawn = "document.querySelector('#rate-plot polyline').getAttribute('points').split(' ').length"
    tab.wait_for(f"{drawn} >= 2")
    keep(tab, "operations")
    assert float(tab.value("document.querySelector('#rate-now').textContent")) > 0
    assert tab.value("document.querySelector('#jobs-now').textContent") == "0"


def test_a_working_day(tab: Page, office: str) -> None:
    """S73, S74, S78: log in, create, edit, see a conflict explained, delete, restore, log out; no other host is asked."""
    sign_in(tab, office)
    keep(tab, "index")
    tab.open(f"{office}/admin/products/create")
    arrive(tab, "/admin/products/create")
    fill(tab, name="Lamp", price="19.90", quantity="10")
    press(tab, SAVE)
    arrive(tab, "/admin/products/list", "Lamp")
    keep(tab, "list")

    tab.open(f"{office}/admin/products/edit?pk=1")
    arrive(tab, "/admin/products/edit")
    rename_by_api(office, "Lantern")
    fill(tab, quantity="3")
    press(tab, SAVE)
    arrive(tab, "/admin/products/edit", "Somebody changed this row while you were editing it")
    assert "Lantern" in tab.value("document.querySelector('#conflict').innerText")
    keep(tab, "conflict")
    press(tab, SAVE)
    arrive(tab, "/admin/products/list", "Lamp")

    tab.open(f"{office}/admin/products/detail?pk=1")
    arrive(tab, "/admin/products/detail", "3 changes")
    told = tab.value("document.querySelector('#history').innerText")
    assert "Lantern to Lamp" in told
    assert "10 to 3" in told
    assert tab.value("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
    tab.value("document.querySelector('#history').scrollIntoView({behavior: 'instant'})")
    keep(tab, "history")

    tab.open(f"{office}/admin/products/list")
    arrive(tab, "/admin/products/list", "Lamp")
    choose(tab, "delete")
    arrive(tab, "/admin/products/list", "Showing 0")
    tab.open(f"{office}/admin/products-deleted/list")
    arrive(tab, "/admin/products-deleted/list", "Lamp")
    keep(tab, "deleted")
    choose(tab, "restore")
    arrive(tab, "/admin/products-deleted/list", "Showing 0")
    tab.open(f"{office}/admin/products/list")
    arrive(tab, "/admin/products/list", "Lamp")

    longer = "const chosen = document.querySelector('[data-leads-on]'); chosen.selectedIndex = 1; "
    tab.value(longer + "chosen.dispatchEvent(new Event('change', {bubbles: true}))")
    tab.wait_for("location.search.includes('page_size=25')")
    arrive(tab, "/admin/products/list", "Lamp")

    press(tab, "form[action*=logout] button")
    arrive(tab, "/admin/login")
    tab.open(f"{office}/admin/products/list")
    arrive(tab, "/admin/login")
    asked = {urlsplit(url).hostname for url in tab.requests() if url.startswith("http")}
    assert asked == {HOST}
    assert [text for text in tab.complaints() if "Content Security Policy" in text] == []
