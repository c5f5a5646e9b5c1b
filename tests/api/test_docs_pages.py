"""`/docs`, `/redoc` and their assets as a client without a browser sees them (S28, S29)."""

from __future__ import annotations

import hashlib
import html
import json
import re
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

from colonnade.api.docs_pages import add_docs_pages
from colonnade.api.docs_pages.asset_files import ASSETS, REDOC, SWAGGER_UI
from colonnade.core.errors import DeclarationError

pytestmark = pytest.mark.anyio

BUNDLE = f"/docs/assets/{SWAGGER_UI}/swagger-ui-bundle.js"
PAGES = ["/docs", "/redoc", "/docs/oauth2-redirect"]


def client(app: FastAPI, root_path: str = "") -> httpx.AsyncClient:
    """A client of the application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, root_path=root_path), base_url="http://shop.test")


def bare_app() -> FastAPI:
    """An application as the factory makes it: without FastAPI's stock pages."""
    return FastAPI(title="Tom & <Jerry>", docs_url=None, redoc_url=None)


@pytest.fixture
def app() -> FastAPI:
    """An application with our pages."""
    app = bare_app()
    add_docs_pages(app)
    return app


def addresses(text: str) -> list[str]:
    """Every address that a page loads something from."""
    return re.findall(r'(?:src|href)="([^"]+)"', text)


def settings(text: str) -> dict[str, object]:
    """What a page hands to its start script."""
    found = re.search(r'data-settings="([^"]*)"', text)
    assert found
    read: dict[str, object] = json.loads(html.unescape(found[1]))
    return read


@pytest.mark.parametrize("path", PAGES)
async def test_page_has_no_inline_script(app: FastAPI, path: str) -> None:
    """S29: every script comes from the application's own address, so the CSP forbids all others."""
    async with client(app) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert re.findall(r"<script(?! src=)", answer.text) == []
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", PAGES)
async def test_every_address_in_a_page_is_served(app: FastAPI, path: str) -> None:
    """S29: what a page refers to is there, on the page's own host."""
    async with client(app) as http:
        text = (await http.get(path)).text
        answers = [await http.get(urljoin(path, address)) for address in addresses(text)]
    assert len(answers) >= 1
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_addresses_are_relative(app: FastAPI, path: str) -> None:
    """C23: a page never repeats the Host header or a scheme, and stays right behind a proxy that strips a prefix."""
    async with client(app, root_path="/shop") as http:
        answer = await http.get(path, headers={"host": "evil.test"})
    assert "evil.test" not in answer.text
    assert all(not address.startswith(("/", "http")) for address in addresses(answer.text))
    assert urljoin(f"http://public.test/shop{path}", str(settings(answer.text)["openapi"])) == (
        "http://public.test/shop/openapi.json"
    )


async def test_pages_below_a_prefix_reach_the_document() -> None:
    """S29: pages may stand deeper than the OpenAPI document."""
    app = bare_app()
    add_docs_pages(app, docs_path="/api/help/docs", redoc_path="/api/help/redoc")
    async with client(app) as http:
        text = (await http.get("/api/help/redoc")).text
        assert urljoin("/api/help/redoc", str(settings(text)["openapi"])) == "/openapi.json"
        assert {(await http.get(urljoin("/api/help/redoc", one))).status_code for one in addresses(text)} == {200}


async def test_title_is_escaped(app: FastAPI) -> None:
    """S28: a title is text, not markup."""
    async with client(app) as http:
        text = (await http.get("/docs")).text
    assert "<title>Tom &amp; &lt;Jerry&gt; - Swagger UI</title>" in text


@pytest.mark.parametrize("path", [*PAGES, BUNDLE])
async def test_head_works(app: FastAPI, path: str) -> None:
    """S29: HEAD gives the headers of GET and no body."""
    async with client(app) as http:
        got, head = await http.get(path), await http.head(path)
    assert head.status_code == 200
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "media_types"),
    [
        # Which of the two a machine's table gives depends on its age; browsers run both (RFC 9239 §6).
        (BUNDLE, {"text/javascript", "application/javascript"}),
        (f"/docs/assets/{REDOC}/redoc.standalone.js", {"text/javascript", "application/javascript"}),
        (f"/docs/assets/{SWAGGER_UI}/swagger-ui.css", {"text/css"}),
        ("/docs/assets/own/favicon.svg", {"image/svg+xml"}),
    ],
)
async def test_assets_say_what_they_are(app: FastAPI, path: str, media_types: set[str]) -> None:
    """S29: with nosniff on, a browser runs a script only under its right media type."""
    async with client(app) as http:
        assert (await http.head(path)).headers["content-type"].partition(";")[0] in media_types


async def test_vendored_assets_are_kept_for_a_year(app: FastAPI) -> None:
    """S29: what carries its version in its address is never asked for again."""
    async with client(app) as http:
        assert (await http.head(BUNDLE)).headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_own_assets_are_asked_for_again(app: FastAPI) -> None:
    """S29: our own scripts change with a release, under the same address; asking again costs a 304."""
    async with client(app) as http:
        first = await http.get("/docs/assets/own/swagger-start.js")
        again = await http.get("/docs/assets/own/swagger-start.js", headers={"if-none-match": first.headers["etag"]})
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["nothing.js", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "own", ""])
async def test_nothing_but_assets_is_served(app: FastAPI, path: str) -> None:
    """S29: a path out of the assets folder, or to a folder, is 404."""
    async with client(app) as http:
        assert (await http.get(f"/docs/assets/{path}")).status_code == 404


async def test_pages_are_not_in_the_document(app: FastAPI) -> None:
    """S28: the OpenAPI document lists the API, not its own pages."""
    async with client(app) as http:
        assert (await http.get("/openapi.json")).json()["paths"] == {}


async def test_stock_pages_of_an_existing_app_go() -> None:
    """S29: an application that was made with FastAPI's stock pages keeps their paths and loses their CDN."""
    app = FastAPI(docs_url="/help", redoc_url="/reference")
    add_docs_pages(app)
    async with client(app) as http:
        for path in ("/help", "/reference", "/help/oauth2-redirect"):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert "cdn.jsdelivr.net" not in answer.text
        assert (await http.get("/docs")).status_code == 404
        assert (await http.get("/docs/oauth2-redirect")).status_code == 404


async def test_swagger_settings_of_the_app_are_honoured() -> None:
    """S28: FastAPI's own settings for Swagger UI reach it."""
    app = FastAPI(
        docs_url=None, swagger_ui_parameters={"docExpansion": "none"}, swagger_ui_init_oauth={"clientId": "shop"}
    )
    add_docs_pages(app)
    async with client(app) as http:
        found = settings((await http.get("/docs")).text)
    assert found["oauth"] == {"clientId": "shop"}
    assert isinstance(found["parameters"], dict)
    assert found["parameters"]["docExpansion"] == "none"


async def test_scripts_may_call_listed_origins_only() -> None:
    """S29: a token endpoint elsewhere is reachable when, and only when, the application lists it."""
    app = bare_app()
    add_docs_pages(app, connect_to=["https://login.example.org"])
    async with client(app) as http:
        policy = (await http.get("/docs")).headers["content-security-policy"]
    assert "connect-src 'self' https://login.example.org;" in policy


async def test_no_document_no_pages() -> None:
    """S29: without an OpenAPI document there is nothing to show, and that is said at once."""
    with pytest.raises(DeclarationError, match="openapi_url"):
        add_docs_pages(FastAPI(openapi_url=None))


async def test_vendored_files_are_the_recorded_ones() -> None:
    """S29: the vendored files are those whose figures VENDORED.md gives, and no others."""
    note = (ASSETS / "VENDORED.md").read_text()
    recorded = {path: figure for figure, path in re.findall(r"^ +([0-9a-f]{64})  (\S+)$", note, re.MULTILINE)}
    found = [path for folder in (SWAGGER_UI, REDOC) for path in (ASSETS / folder).iterdir()]
    scripts = [path for path in found if path.suffix in {".js", ".css"}]
    assert {
        str(path.relative_to(ASSETS)): hashlib.sha256(path.read_bytes()).hexdigest() for path in scripts
    } == recorded
