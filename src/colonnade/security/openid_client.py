"""Talking to an OpenID Connect provider: its metadata, its keys, a code for an ID token. Needs `colonnade[oidc]`."""

from __future__ import annotations

import base64
import time
from typing import Any
from urllib.parse import quote

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from colonnade.core.errors import IdentityProviderError, UnauthenticatedError
from colonnade.security.openid import LOGIN_SECONDS, OpenIDProvider, OutsideIdentity, PendingLogin

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Of signatures by a key that only the provider has; HMAC, by which we could sign ourselves, is not among them."""

TIMEOUT = 10.0
LEEWAY = 30
KNOWN_FOR = 3600.0
"""Seconds for which metadata and keys are not asked for again."""

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OpenIDClient:
    """Signs people in at one provider.

    Args:
        provider: as declared.
    """

    def __init__(self, provider: OpenIDProvider) -> None:
        self.provider = provider
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._known_until = 0.0

    @staticmethod
    def new_login(following: str) -> PendingLogin:
        """Begin a login, after which the browser is sent to a path of ours."""
        state, nonce, verifier = (generate_token(48) for _ in range(3))
        return PendingLogin(state, nonce, verifier, following, int(time.time()) + LOGIN_SECONDS)

    async def authorization_url(self, redirect_uri: str, login: PendingLogin) -> str:
        """Give the address to which the browser is sent.

        Raises:
            IdentityProviderError: CLN520.
        """
        await self._learn()
        url: str = prepare_grant_uri(
            self._metadata["authorization_endpoint"],
            self.provider.client_id,
            "code",
            redirect_uri,
            self.provider.scopes,
            login.state,
            nonce=login.nonce,
            code_challenge=create_s256_code_challenge(login.verifier),
            code_challenge_method="S256",
        )
        return url

    async def identity(self, redirect_uri: str, code: str, login: PendingLogin) -> OutsideIdentity:
        """Exchange the code that the browser brought for an ID token, and read that.

        Raises:
            UnauthenticatedError: CLN300, the code or the token does not hold.
            IdentityProviderError: CLN520.
        """
        await self._learn()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": login.verifier,
        }
        async with _http() as http:
            answer = await self._asked(http, "POST", self._metadata["token_endpoint"], data=form, headers=self._basic())
            claims = self._claims(answer, login)
            if "email" not in claims and "userinfo_endpoint" in self._metadata:
                header = {"Authorization": f"Bearer {answer.get('access_token')}"}
                told = await self._asked(http, "GET", self._metadata["userinfo_endpoint"], headers=header)
                # It may be somebody else's (OpenID Connect Core §5.3.2).
                claims = {**told, **claims} if told.get("sub") == claims["sub"] else claims
        verified = claims.get("email_verified") is True
        email = str(claims["email"]).strip().casefold() if verified and claims.get("email") else None
        name = claims.get("name")
        return OutsideIdentity(self.provider.issuer, claims["sub"], email, name if isinstance(name, str) else None)

    async def is_issuer(self, issuer: str | None) -> bool:
        """Tell whether an answer is of this provider, as far as it says so (RFC 9207 §2.4).

        Raises:
            IdentityProviderError: CLN520.
        """
        await self._learn()  # the login may have begun in another worker
        required = self._metadata.get("authorization_response_iss_parameter_supported") is True
        return issuer == self.provider.issuer if issuer is not None or required else True

    def _claims(self, answer: dict[str, Any], login: PendingLogin) -> dict[str, Any]:
        assert self._keys is not None  # learned before
        client = self.provider.client_id
        options = {
            "iss": {"essential": True, "value": self.provider.issuer},
            "aud": {"essential": True, "value": client},
        }
        params = {"nonce": login.nonce, "client_id": client, "access_token": answer.get("access_token")}
        try:
            token = jwt.decode(str(answer.get("id_token")), self._keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError):
            self._known_until = 0.0  # its keys may be new ones
            raise _refused() from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise _refused()
        return dict(claims)

    def _basic(self) -> dict[str, str]:
        """Prove ourselves as RFC 6749 §2.3.1 has it: both parts encoded as a form's."""
        secret = self.provider.client_secret.get_secret_value()
        pair = f"{quote(self.provider.client_id, safe='')}:{quote(secret, safe='')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def _learn(self) -> None:
        """Ask for metadata and keys, where they are not known (OpenID Connect Discovery §4)."""
        if time.monotonic() < self._known_until:
            return
        async with _http() as http:
            place = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = await self._asked(http, "GET", place)
            if metadata.get("issuer") != self.provider.issuer or not all(metadata.get(name) for name in _ENDPOINTS):
                raise IdentityProviderError(f"{self.provider.name} does not say what its issuer would.")
            keys = await self._asked(http, "GET", metadata["jwks_uri"])
        try:
            self._keys = KeySet.import_key_set({"keys": keys["keys"]})
        except (JoseError, ValueError, TypeError, KeyError):
            raise IdentityProviderError(f"The keys of {self.provider.name} can't be read.") from None
        self._metadata, self._known_until = metadata, time.monotonic() + KNOWN_FOR

    async def _asked(self, http: httpx.AsyncClient, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            answer = await http.request(method, url, **more)
            if answer.status_code in (400, 401):
                raise _refused()
            content = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            raise IdentityProviderError(f"{self.provider.name} does not answer as it should.") from None
        if not isinstance(content, dict):
            raise IdentityProviderError(f"{self.provider.name} does not answer as it should.")
        return content


def _http() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, headers={"Accept": "application/json"})


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError("What the identity provider says does not hold; begin again.")
