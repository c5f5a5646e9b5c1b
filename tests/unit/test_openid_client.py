"""ID tokens: signed by the provider, for this application, for this login, now; anything else signs nobody in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from colonnade import OpenIDProvider, UnauthenticatedError
from colonnade.security import openid_client
from colonnade.security.openid import PendingLogin
from colonnade.security.openid_client import OpenIDClient

pytestmark = pytest.mark.anyio

ISSUER, SECRET = "https://id.test", "the client's own secret, which HMAC would sign by"
PROVIDER = OpenIDProvider("id", ISSUER, "club", SecretStr(SECRET))
LOGIN = PendingLogin("state", "nonce", "verifier", "", 0)
KEY = RSAKey.generate_key(2048, {"kid": "one"})
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}


def claims(**others: Any) -> dict[str, Any]:
    """Give the claims of a token that holds, but for those that are given; None leaves one out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": "club", "sub": "u1", "nonce": "nonce", "iat": now, "exp": now + 60}
    return {name: value for name, value in {**usual, **others}.items() if value is not None}


def signed(**others: Any) -> str:
    """Sign a token as the provider does."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims(**others), KEY)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the provider give a token for any code."""

    def answer(token: str) -> None:
        answers = {
            "/.well-known/openid-configuration": METADATA,
            "/jwks": {"keys": [KEY.as_dict(private=False)]},
            "/token": {"access_token": "x", "token_type": "Bearer", "id_token": token},
        }
        transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answers[request.url.path]))
        monkeypatch.setattr(openid_client, "_http", lambda: httpx.AsyncClient(transport=transport))

    return answer


async def test_a_token_that_holds_tells_who_it_is(answering: Callable[[str], None]) -> None:
    """S78: by issuer and subject."""
    answering(signed(email="Ada@example.com", email_verified=True))
    found = await OpenIDClient(PROVIDER).identity("https://club.test/callback", "code", LOGIN)
    assert found[:3] == (ISSUER, "u1", "ada@example.com")


FORGED: dict[str, Callable[[], str]] = {
    "of another issuer": lambda: signed(iss="https://evil.test"),
    "of no issuer": lambda: signed(iss=None),
    "for another application": lambda: signed(aud="another"),
    "for several, of which another asked": lambda: signed(aud=["club", "another"], azp="another"),
    "of another login": lambda: signed(nonce="another"),
    "of no login": lambda: signed(nonce=None),
    "over": lambda: signed(exp=int(time.time()) - 3600),
    "without an end": lambda: signed(exp=None),
    "of nobody": lambda: signed(sub=None),
    "of a subject that is no text": lambda: signed(sub=7),
    "signed by another key": lambda: jwt.encode(
        {"alg": "RS256", "kid": "one"}, claims(), RSAKey.generate_key(2048, {"kid": "one"})
    ),
    "signed by the client's secret": lambda: jwt.encode({"alg": "HS256"}, claims(), OctKey.import_key(SECRET)),
    "unsigned": lambda: "eyJhbGciOiJub25lIn0." + signed().split(".")[1] + ".",
    "none": lambda: "",
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_token_that_does_not_hold_signs_nobody_in(answering: Callable[[str], None], forged: str) -> None:
    """S78: OpenID Connect Core §3.1.3.7, point by point."""
    answering(FORGED[forged]())
    with pytest.raises(UnauthenticatedError):
        await OpenIDClient(PROVIDER).identity("https://club.test/callback", "code", LOGIN)


async def test_a_worker_that_has_not_begun_the_login_knows_the_provider(
    answering: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9207 §2.4: whether an answer must name its issuer is asked first, not assumed."""
    monkeypatch.setitem(METADATA, "authorization_response_iss_parameter_supported", True)  # type: ignore[arg-type]
    answering("")
    assert not await OpenIDClient(PROVIDER).is_issuer(None)
    assert await OpenIDClient(PROVIDER).is_issuer(ISSUER)
