"""The tokens of the page's forms, each good in one session only."""

from __future__ import annotations

import copy
import secrets

from itsdangerous import URLSafeSerializer
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp
from starlette_admin.security.csrf import CSRFMiddleware


class SessionTokens(CSRFMiddleware):
    """The library's double-submit cookie, signed for the session that it is sent in.

    By itself a token counts in every session: who may set a cookie for this host, from another one below the same domain,
    could put his own there and send it along (OWASP Cross-Site Request Forgery Prevention, "naive double-submit").
    """

    def __init__(self, app: ASGIApp, secret_key: str) -> None:
        super().__init__(app, secret_key)
        self._key = secret_key

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Ask for a token of this session; whoever signs in or out with this request gets a new one."""
        session = _session_of(request)
        bound = copy.copy(self)
        bound._signer = self._signer_of(session)
        response = await CSRFMiddleware.dispatch(bound, request, call_next)
        if (after := _session_of(request)) != session:
            response.set_cookie(
                self.cookie_name,
                self._signer_of(after).dumps(secrets.token_hex(32)),
                httponly=False,  # the page's scripts send it
                samesite="lax",
                secure=request.url.scheme == "https",
            )
        return response

    def _signer_of(self, session: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._key, salt=f"colonnade admin forms\0{session}")


def _session_of(request: Request) -> str:
    """Name the session; there is one name for all who have not signed in."""
    return str(request.session.get("session", ""))
