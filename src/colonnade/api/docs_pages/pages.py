"""`/docs` (Swagger UI) and `/redoc` (ReDoc), in place of FastAPI's stock pages, which load both from a CDN.

Every address in the pages is relative to the page itself. So a page is right under any `root_path` and behind any
proxy, and the `Host` header, which a client writes, never reaches it.
"""

from __future__ import annotations

import html
import json
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.docs import swagger_ui_default_parameters
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from colonnade.api.docs_pages.asset_files import OWN, REDOC, SWAGGER_UI, DocsAssets
from colonnade.core.errors import DeclarationError

# Both pages write styles from script (styled-components, React), so 'unsafe-inline' stands for styles alone; ReDoc's
# search runs in a worker that it makes from a blob. A further policy on the same answer can only narrow this one.
_POLICY = (
    "default-src 'none'; base-uri 'none'; connect-src {connect}; font-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "worker-src blob:"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="{assets}/{own}/favicon.svg">
{styles}
</head>
<body>
<noscript>This page needs JavaScript; the document that it shows is <a href="{openapi}">here</a>.</noscript>
<div id="{place}" data-settings="{settings}"></div>
{scripts}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Page:
    """What tells one page from the other; paths of assets are relative to the assets folder."""

    place: str
    title: str
    styles: tuple[str, ...]
    scripts: tuple[str, ...]


_SWAGGER_PAGE = _Page(
    place="swagger-ui",
    title="Swagger UI",
    styles=(f"{SWAGGER_UI}/swagger-ui.css", f"{OWN}/pages.css"),
    scripts=(f"{SWAGGER_UI}/swagger-ui-bundle.js", f"{OWN}/swagger-start.js"),
)
_REDOC_PAGE = _Page(
    place="redoc",
    title="ReDoc",
    styles=(f"{OWN}/pages.css",),
    scripts=(f"{REDOC}/redoc.standalone.js", f"{OWN}/redoc-start.js"),
)
_OAUTH2_REDIRECT = f"{SWAGGER_UI}/oauth2-redirect.js"


def add_docs_pages(
    app: FastAPI,
    *,
    docs_path: str = "/docs",
    redoc_path: str = "/redoc",
    connect_to: Iterable[str] = (),
) -> None:
    """Let the application serve its documentation pages by itself; FastAPI's stock pages, if there are any, go.

    Adds `docs_path`, `docs_path/oauth2-redirect` (for Swagger UI's Authorize button), `docs_path/assets/...` and
    `redoc_path`; none of them is in the OpenAPI document. `swagger_ui_parameters` and `swagger_ui_init_oauth` of the
    application are honoured.

    Args:
        app: the application; an existing one keeps the paths that its `docs_url` and `redoc_url` say.
        docs_path: where Swagger UI stands, if the application does not say.
        redoc_path: where ReDoc stands, if the application does not say.
        connect_to: further origins that the pages' scripts may call, e.g. `"https://login.example.org"` where the
            token endpoint of an OAuth 2 flow stands elsewhere. Everything else is refused by the pages' CSP.

    Raises:
        DeclarationError: the application has no OpenAPI document (`openapi_url=None`), so there is nothing to show.
    """
    if not app.openapi_url:
        raise DeclarationError("The documentation pages need an OpenAPI document; give the application an openapi_url.")
    docs, redoc = app.docs_url or docs_path, app.redoc_url or redoc_path
    _drop_stock_pages(app)

    assets, oauth2 = f"{docs}/assets", f"{docs}/oauth2-redirect"
    policy = _POLICY.format(connect=" ".join(("'self'", *connect_to)))
    _add_page(app, docs, _html(app, _SWAGGER_PAGE, docs, assets, _swagger_settings(app, docs, oauth2)), policy)
    _add_page(app, redoc, _html(app, _REDOC_PAGE, redoc, assets, {}), policy)
    script = f"{_relative(assets, oauth2)}/{_OAUTH2_REDIRECT}"
    _add_page(app, oauth2, f'<!doctype html>\n<title>Signing in</title>\n<script src="{script}"></script>\n', policy)
    app.mount(assets, DocsAssets(), name="docs-assets")


def _drop_stock_pages(app: FastAPI) -> None:
    stock = {path for path in (app.docs_url, app.redoc_url) if path}
    if app.docs_url and app.swagger_ui_oauth2_redirect_url:
        stock.add(app.swagger_ui_oauth2_redirect_url)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) not in stock]


def _swagger_settings(app: FastAPI, docs: str, oauth2: str) -> dict[str, Any]:
    parameters = {**swagger_ui_default_parameters, **(app.swagger_ui_parameters or {})}
    return {
        "parameters": jsonable_encoder(parameters),
        "oauth": jsonable_encoder(app.swagger_ui_init_oauth),
        "oauth2Redirect": _relative(oauth2, docs),
    }


def _html(app: FastAPI, page: _Page, path: str, assets: str, settings: dict[str, Any]) -> str:
    openapi = _relative(str(app.openapi_url), path)
    root = _relative(assets, path)
    return _PAGE.format(
        title=html.escape(f"{app.title} - {page.title}"),
        assets=root,
        own=OWN,
        openapi=openapi,
        place=page.place,
        settings=html.escape(json.dumps({"openapi": openapi, **settings})),
        styles="\n".join(f'<link rel="stylesheet" href="{root}/{style}">' for style in page.styles),
        scripts="\n".join(f'<script src="{root}/{script}"></script>' for script in page.scripts),
    )


def _relative(target: str, page: str) -> str:
    """Say how a browser that stands at `page` reaches `target` (RFC 3986 §5.2); both are paths of the application."""
    return posixpath.relpath(target, start=posixpath.dirname(page))


def _add_page(app: FastAPI, path: str, text: str, policy: str) -> None:
    body = text.encode()

    async def page(_request: Request) -> Response:
        return HTMLResponse(body, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"})

    app.router.add_route(path, page, name=path.strip("/").replace("/", "-"), include_in_schema=False)
