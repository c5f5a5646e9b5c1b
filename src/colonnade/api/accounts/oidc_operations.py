"""The two halves of a login at an outside provider: the browser is sent there, and comes back with a code."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import ClassVar
from urllib.parse import parse_qsl

from starlette.types import Scope

from colonnade.api.accounts.operations import services_of, token_reply
from colonnade.api.operations import Call
from colonnade.api.reply import NOT_STORED, Reply
from colonnade.core.errors import Fault, InvalidParameterError, MalformedQueryError, UnauthenticatedError
from colonnade.core.sealing import Seal
from colonnade.security.openid import LOGIN_SECONDS, PendingLogin, is_safe_next, open_login
from colonnade.security.openid_client import OpenIDClient

_MAX_PARAMETERS = 20


@dataclass(frozen=True, slots=True)
class _Browser:
    """What a browser keeps during a login: a cookie of this path, out of any script's reach.

    Attributes:
        name: of the provider.
        folder: the path of its routes.
        secure: whether the cookie goes over TLS only.
    """

    name: str
    folder: str
    secure: bool

    def keep(self, text: str, seconds: int) -> tuple[bytes, bytes]:
        """Give the header that has it kept; `Lax`, since it has to come along when the provider sends the browser back."""
        parts = f"login_{self.name}={text}; Path={self.folder}; Max-Age={seconds}; HttpOnly; SameSite=Lax"
        return b"set-cookie", (parts + ("; Secure" if self.secure else "")).encode()

    def kept(self, scope: Scope) -> str:
        """Give what it kept; empty where there is nothing."""
        found = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
        try:
            morsel = SimpleCookie(found).get(f"login_{self.name}")
        except CookieError:
            return ""
        return "" if morsel is None else morsel.value


@dataclass(frozen=True, slots=True)
class LoginOutside:
    """GET, by a browser."""

    client: OpenIDClient
    public_url: str
    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Send the browser to the provider; `next` is the path that is shown afterwards."""
        parameters = _parameters(call.scope, {"next"})
        following = parameters.get("next", "")
        if following and not is_safe_next(following):
            fault = Fault("path_expected", "A path of this application, e.g. /account.", parameter="next")
            raise InvalidParameterError("'next' is no path.", faults=[fault])
        folder = call.scope["path"].rpartition("/")[0]
        login = self.client.new_login(following)
        place = await self.client.authorization_url(f"{self.public_url}{folder}/callback", login)
        browser = _Browser(self.client.provider.name, folder, self.public_url.startswith("https:"))
        kept = browser.keep(login.seal(_seal(call), self.client.provider.name), LOGIN_SECONDS)
        return Reply(303, (NOT_STORED, (b"location", place.encode()), kept))


@dataclass(frozen=True, slots=True)
class ReturnFromOutside:
    """GET, by a browser that the provider sends back."""

    client: OpenIDClient
    public_url: str
    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Sign in by the provider's word.

        The tokens are the answer, or, where the login named a `next`, the browser is sent there with `#refresh_token=`,
        which holds for a minute: the page takes it to `/auth/refresh`.
        """
        folder = call.scope["path"].rpartition("/")[0]
        browser = _Browser(self.client.provider.name, folder, self.public_url.startswith("https:"))
        parameters = _parameters(call.scope, None)
        login = await self._login(call, browser, parameters)
        redirect_uri = f"{self.public_url}{folder}/callback"
        identity = await self.client.identity(redirect_uri, parameters.get("code", ""), login)
        identities = services_of(call).identities
        issued = await identities.sign_in(call.database, identity, handed_over=bool(login.next))
        over = browser.keep("", 0)
        if not login.next:
            reply = token_reply(issued)
            return reply._replace(headers=(*reply.headers, over))
        place = f"{login.next}#refresh_token={issued.refresh}"
        return Reply(303, (NOT_STORED, (b"location", place.encode()), over))

    async def _login(self, call: Call, browser: _Browser, parameters: dict[str, str]) -> PendingLogin:
        """Find the login that this browser has begun.

        Raises:
            UnauthenticatedError: CLN300, it has begun none, another one, or was refused by the provider.
        """
        login = open_login(_seal(call), self.client.provider.name, browser.kept(call.scope))
        state = parameters.get("state", "")
        if login is None or not hmac.compare_digest(state.encode(), login.state.encode()):
            raise UnauthenticatedError("This browser has begun no such login, or it took too long; begin again.")
        if not parameters.get("code") or not await self.client.is_issuer(parameters.get("iss")):
            raise UnauthenticatedError("The identity provider has not let you in.")
        return login


def _seal(call: Call) -> Seal:
    return services_of(call).login_seal


def _parameters(scope: Scope, known: set[str] | None) -> dict[str, str]:
    """Read a query.

    Raises:
        MalformedQueryError: CLN100, it can't be read, or has a parameter twice.
        InvalidParameterError: CLN200, one that is not known.
    """
    try:
        text = scope["query_string"].decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise MalformedQueryError("The query can't be read.") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise MalformedQueryError("A parameter stands twice.")
    if known is not None and (unknown := sorted(set(found) - known)):
        faults = [Fault("unknown_parameter", "There is no such parameter.", parameter=name) for name in unknown]
        raise InvalidParameterError("A parameter is not known.", faults=faults)
    return found
