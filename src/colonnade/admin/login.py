"""Signing in to the page with one of the application's accounts.

The cookie names a session of the account, and the session's row is asked for at every request: an administrator who is
deactivated, demoted or signed out elsewhere is out at the very next one.
"""

from __future__ import annotations

import re
import secrets
from urllib.parse import urlsplit, urlunsplit

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_admin.auth import AdminUser, AuthProvider, LoginFailed

from colonnade.admin.content_policy import content_policy
from colonnade.api.limiting import client_key
from colonnade.api.route import runtime_of
from colonnade.core.errors import ProblemError, RateLimitedError, UnauthenticatedError
from colonnade.database.database import Database
from colonnade.policy.principal import Principal
from colonnade.services.accounts.services import AccountServices
from colonnade.services.accounts.signing_in import Credentials

COOKIE = "colonnade_admin"
IDLE_SECONDS = 30 * 60
FIGURES = "/admin/operations/figures"
"""Fetched by an open page every other second, whether or not somebody looks at it."""

_REFUSED = "There is no administrator of this name with this password."


class AccountLogin(AuthProvider):
    """Lets in whose account has the administrator's role.

    Args:
        app: the application; its accounts sign in.
        role: that lets them in.
    """

    def __init__(self, app: FastAPI, role: str) -> None:
        super().__init__()
        self._app = app
        self._role = role

    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> Response | None:
        """Begin a session of the account, and name it in a new cookie; the old one counts no longer.

        Whoever is no administrator is refused in the same words as whoever does not know the password.
        """
        accounts, database = self._accounts, self._database
        credentials = Credentials(username, SecretStr(password), client_key(request.scope))
        try:
            issued = await accounts.sign_in.by_password(database, credentials)
        except RateLimitedError as error:
            raise LoginFailed(error.detail) from error
        except ProblemError as error:
            raise LoginFailed(_REFUSED) from error
        claims = accounts.authentication.claims_of(issued.access.encode())
        principal = await accounts.authentication.principal_of_session(database, claims.session)
        if principal.role != self._role:
            await accounts.sessions.end(database, claims.session, None)
            raise LoginFailed(_REFUSED)
        request.session.clear()
        request.session.update(session=claims.session, name=username)
        return None

    async def authenticate(self, request: Request) -> AdminUser | None:
        """Tell who is signed in, by one keyed read; nobody where the session has ended."""
        principal = await self._principal(request)
        if principal is None or principal.role != self._role:
            request.session.clear()
            return None
        request.state.principal = principal
        if request.scope["path"] != FIGURES:
            # Written, it is signed anew, and its half hour begins again.
            request.session["name"] = request.session["name"]
        return AdminUser(username=str(request.session["name"]))

    async def logout(self, request: Request) -> Response | None:
        """End the session."""
        await self._accounts.sessions.end(self._database, request.session.get("session"), None)
        request.session.clear()
        return None

    async def _principal(self, request: Request) -> Principal | None:
        name = request.session.get("session")
        if not isinstance(name, str):
            return None
        try:
            return await self._accounts.authentication.principal_of_session(self._database, name)
        except UnauthenticatedError:
            return None

    @property
    def _accounts(self) -> AccountServices:
        found = runtime_of(self._app).accounts
        assert found is not None  # the site is not made without them
        return found

    @property
    def _database(self) -> Database:
        return runtime_of(self._app).database


class SignedCookie:
    """Starlette's signed session cookie, `Secure` over TLS; a policy for what a page may load; redirects within the site.

    Args:
        secret: signs the cookie.
        path: below which it is sent.
    """

    def __init__(self, app: ASGIApp, secret: str, path: str) -> None:
        self._plain, self._secure = (
            SessionMiddleware(
                app,
                secret,
                session_cookie=COOKIE,
                max_age=IDLE_SECONDS,
                path=path,
                same_site="lax",
                https_only=secure,
            )
            for secure in (False, True)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its session, and the answer with the policy (ASGI)."""
        nonce = secrets.token_urlsafe(16)
        scope = {**scope, "state": {**scope.get("state", {}), "nonce": nonce}}

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("content-security-policy", content_policy(nonce))
                if "location" in headers:
                    headers["location"] = _within_the_site(headers["location"])
                if not headers.get("content-type", "").startswith(("text/css", "text/javascript", "font/")):
                    headers["cache-control"] = "no-store"
            await send(message)

        inner = self._secure if scope.get("scheme") == "https" else self._plain
        await inner(scope, receive, send_with_policy)


def _within_the_site(location: str) -> str:
    """Take the host out of a URL: the library builds it from the Host header, which the client wrote.

    Without its host, `http://shop.test//evil.test` would lead to another one.
    """
    _, _, path, query, fragment = urlsplit(location)
    return urlunsplit(("", "", re.sub(r"^/+", "/", path), query, fragment))
