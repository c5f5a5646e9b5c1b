"""The pages that mailed links lead to, for an application that has none of its own: one button, or one field, each.

A link does nothing by being opened: mail programs and scanners open links unasked. Script, style and address are the page's
own, and it may talk to nobody but this application.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 12vh auto; max-width: 24rem; padding: 0 1rem; color: #1a1a1a }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { padding: .6rem; margin: .5rem 0 1rem; border: 1px solid #767676; border-radius: .3rem }
button { background: #14532d; border-color: #14532d; color: #fff; cursor: pointer }
"""

_SCRIPT = """
const form = document.querySelector("form"), told = document.querySelector("[role=status]");
const token = new URLSearchParams(location.search).get("token") || "";
history.replaceState(null, "", location.pathname);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = form.querySelector("input"), body = {token};
  if (field) body.new_password = field.value;
  try {
    const answer = await fetch(form.dataset.path, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
    });
    if (answer.ok) { form.hidden = true; told.textContent = form.dataset.done; return; }
    const problem = await answer.json();
    told.textContent = (problem.errors || []).map((fault) => fault.message).join(" ") || problem.detail;
  } catch { told.textContent = "The server does not answer; try again in a moment."; }
});
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<form data-path="{path}" data-done="{done}">{field}<button>{button}</button></form>
<p role="status"></p>
<noscript>This page needs JavaScript.</noscript>
</main>
<script>{script}</script>
</body>
</html>
"""

_FIELD = (
    '<label for="new">New password, at least 8 characters with a letter and a digit</label>'
    '<input id="new" type="password" autocomplete="new-password" minlength="8" maxlength="128" required>'
)


@dataclass(frozen=True, slots=True)
class _Words:
    """What tells one page from the other."""

    name: str
    title: str
    button: str
    done: str
    field: str = ""


_PAGES = (
    _Words("verify-email", "Verify your e-mail address", "Verify", "Your address is verified."),
    _Words("reset-password", "Choose a new password", "Change the password", "Done; sign in with it now.", _FIELD),
)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
        f"script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}"
    ),
}


def add_link_pages(app: FastAPI, api_prefix: str) -> None:
    """Add `/verify-email` and `/reset-password`.

    Args:
        app: with pages of its own for that, it names them by a `public_url` with a path, and nobody comes here.
        api_prefix: of the newest version.
    """
    for words in _PAGES:
        _add(app, words, f"{api_prefix.lstrip('/')}/auth/{words.name}".lstrip("/"))


def _add(app: FastAPI, words: _Words, path: str) -> None:
    # Relative to the page, so that it is right under any root path.
    content = _PAGE.format(
        title=words.title,
        style=_STYLE,
        path=path,
        done=words.done,
        field=words.field,
        button=words.button,
        script=_SCRIPT,
    )

    async def show(request: Request) -> HTMLResponse:
        return HTMLResponse(content, headers=_HEADERS)

    app.add_route(f"/{words.name}", show, methods=["GET"], include_in_schema=False)
