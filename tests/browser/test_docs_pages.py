"""S29: `/docs` and `/redoc` in a real browser that reaches no other host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

from colonnade.api.docs_pages import add_docs_pages
from colonnade.api.middleware import middleware_stack
from colonnade.core.settings import Settings
from tests.browser.chromium import HOST, Browser, Page, page
from tests.browser.conftest import Serve

pytestmark = pytest.mark.needs("chromium")

WIDTHS = [1280, 390]


class Book(BaseModel):
    """A book on the shelf."""

    id: int
    title: str
    price: float


def bookshop() -> FastAPI:
    """A small application behind the real middleware: two operations, one of them behind a password."""
    stack = middleware_stack(Settings(_env_file=None, env="test"))
    app = FastAPI(title="Bookshop", version="1.2.3", docs_url=None, redoc_url=None, middleware=stack)
    token = OAuth2PasswordBearer(tokenUrl="token")

    @app.get("/books/{book_id}", tags=["books"], summary="Find a book")
    async def find(book_id: int) -> Book:
        return Book(id=book_id, title="Middlemarch", price=9.5)

    @app.post("/books", tags=["books"], summary="Shelve a book", dependencies=[Depends(token)])
    async def shelve(book: Book) -> Book:
        return book

    add_docs_pages(app)
    return app


@pytest.fixture(params=WIDTHS, ids=str)
def tab(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A tab as wide as a desk's screen or a telephone's."""
    with page(browser, width=request.param) as opened:
        yield opened


def keep_screenshot(tab: Page, request: pytest.FixtureRequest) -> None:
    """Keep a picture for a person to look at, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(Path(folder) / f"{request.node.name}.png")


def hosts(tab: Page) -> set[str | None]:
    """The hosts that a page asked; `data:` and `blob:` ask nobody."""
    return {urlsplit(url).hostname for url in tab.requests() if urlsplit(url).scheme not in {"data", "blob"}}


def test_docs_shows_operations_offline(tab: Page, serve: Serve, request: pytest.FixtureRequest) -> None:
    """S29: /docs shows every operation, asks its own host only and has nothing to complain about."""
    tab.open(serve(bookshop()) + "/docs")

    tab.wait_for("document.querySelectorAll('.opblock').length === 2")
    tab.wait_for("document.body.innerText.includes('Find a book')")
    keep_screenshot(tab, request)
    assert hosts(tab) == {HOST}
    assert tab.complaints() == []


def test_redoc_shows_operations_offline(tab: Page, serve: Serve, request: pytest.FixtureRequest) -> None:
    """S29: /redoc shows every operation, asks its own host only and has nothing to complain about."""
    tab.open(serve(bookshop()) + "/redoc")

    tab.wait_for("document.body.innerText.includes('Shelve a book')")
    tab.wait_for("document.body.innerText.includes('Find a book')")
    keep_screenshot(tab, request)
    assert hosts(tab) == {HOST}
    assert tab.complaints() == []


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_fit_a_telephone(browser: Browser, serve: Serve, path: str) -> None:
    """S29: at 390 pixels neither page is wider than the screen."""
    with page(browser, width=390) as tab:
        tab.open(serve(bookshop()) + path)
        tab.wait_for("document.body.innerText.includes('Find a book')")
        assert tab.value("document.documentElement.scrollWidth") <= 390


def click(tab: Page, selector: str) -> None:
    """Wait for an element and click it."""
    tab.wait_for(f"document.querySelector({selector!r}) !== null")
    tab.value(f"document.querySelector({selector!r}).click()")


def test_docs_tries_an_operation_out(browser: Browser, serve: Serve) -> None:
    """S29: the page's own policy lets Swagger UI call the application and show its answer."""
    with page(browser, width=1280) as tab:
        tab.open(serve(bookshop()) + "/docs")
        for button in (".opblock-get .opblock-summary-control", ".try-out__btn"):
            click(tab, button)
        tab.wait_for("document.querySelector('.opblock-get input') !== null")
        tab.value("document.querySelector('.opblock-get input').focus()")
        tab.call("Input.insertText", text="7")
        tab.value("document.activeElement.blur()")  # the field tells of its value late, or when it is left
        click(tab, ".execute")
        tab.wait_for("document.querySelector('.live-responses-table')?.innerText.includes('Middlemarch')")
        assert tab.complaints() == []


def test_redoc_finds_an_operation(browser: Browser, serve: Serve) -> None:
    """S29: the page's own policy lets ReDoc's search run in its worker."""
    with page(browser, width=1280) as tab:
        tab.open(serve(bookshop()) + "/redoc")
        tab.wait_for("document.querySelector('input[placeholder]') !== null")
        tab.value("document.querySelector('input[placeholder]').focus()")
        tab.call("Input.insertText", text="Shelve")
        tab.wait_for("document.querySelector('[data-role=\"search:results\"]')?.innerText.includes('Shelve a book')")
        assert tab.complaints() == []
