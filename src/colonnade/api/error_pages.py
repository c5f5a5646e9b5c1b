"""`/errors/<code>`: the page that a problem's `type` names, served by the application that answered it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from colonnade.core.errors import NoSuchPathError

# In a wheel the pages lie inside the package; in a checkout they are the documentation itself.
_PLACES = (Path(str(files("colonnade"))) / "error_pages", Path(__file__).parents[3] / "docs" / "errors")


@cache
def _pages() -> dict[str, str]:
    found: dict[str, str] = {}
    for place in _PLACES:
        if place.is_dir() and not found:
            found = {page.stem: page.read_text(encoding="utf-8") for page in place.glob("CLN*.md")}
    return found


async def _page(request: Request) -> Response:
    text = _pages().get(request.path_params["code"])
    if text is None:
        raise NoSuchPathError
    return PlainTextResponse(text, media_type="text/markdown")


def add_error_pages(app: FastAPI) -> None:
    """Serve the page of every error code, as Markdown."""
    app.add_route("/errors/{code}", _page, name="error-page", include_in_schema=False)
