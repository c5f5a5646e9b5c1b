"""Access tokens: only what was signed here, for here, for this use and for now is read."""

from __future__ import annotations

import base64
import json
import time
import warnings
from typing import Any

import jwt
import pytest

from colonnade.security import tokens
from colonnade.security.keys import derive_key
from colonnade.security.opaque import new_api_key, new_refresh_token
from colonnade.security.passwords import _HASHER, DUMMY_HASH, UNUSABLE, check_password, hash_password
from colonnade.security.tokens import LEEWAY, LIFETIME, MAX_BYTES, AccessTokens, TokenError

KEY = derive_key(b"a secret of an application, long enough", b"access token")
DAY = 86_400
TOKENS = AccessTokens(KEY, "shop", int)


def forged(header: dict[str, Any] | None = None, key: Any = KEY, without: str = "", **claims: Any) -> bytes:
    """Make a token that is a good one but for what is given."""
    now = int(time.time())
    payload = {
        "iss": "shop", "aud": "shop", "sub": "7", "sid": "s", "jti": "j", "iat": now, "exp": now + LIFETIME, **claims
    }  # fmt: skip
    payload.pop(without, None)
    header = {"typ": "at+jwt", **(header or {})}
    with warnings.catch_warnings(action="ignore"):  # a key that is short for the algorithm is no matter here
        return jwt.encode(payload, key, header.get("alg", "HS256"), header).encode()


def unsigned(algorithm: str) -> bytes:
    """Make a token whose header says that nothing proves it."""
    parts = [{"alg": algorithm, "typ": "at+jwt"}, jwt.decode(forged(), options={"verify_signature": False})]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b""])


def test_a_token_that_was_issued_is_read() -> None:
    """S78: subject, session and end; the second look gives the same."""
    token = TOKENS.issue(7, "a session").encode()
    first, second = TOKENS.read(token), TOKENS.read(token)
    assert (first.subject, first.session) == (7, "a session")
    assert first == second
    assert TOKENS.read(forged()).subject == 7


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"a.b.c", id="no token"),
        pytest.param(b"\xff\xfe.\x00.e", id="bytes"),
        pytest.param(unsigned("none"), id="alg none"),
        pytest.param(unsigned("HS256"), id="no signature"),
        pytest.param(forged(key=b"another key of thirty-two bytes!"), id="another key"),
        pytest.param(forged({"alg": "HS512"}), id="another algorithm of the same key"),
        pytest.param(forged({"typ": "JWT"}), id="another type"),
        pytest.param(forged({"crit": ["b64"], "b64": True}), id="critical header that nobody knows"),
        pytest.param(forged(iss="other"), id="foreign issuer"),
        pytest.param(forged(aud="other"), id="foreign audience"),
        pytest.param(forged(aud=["shop", "other"]), id="several audiences"),
        pytest.param(forged(exp=int(time.time()) - LEEWAY - 1), id="expired"),
        pytest.param(forged(nbf=int(time.time()) + DAY), id="not yet valid"),
        pytest.param(forged(iat=int(time.time()) + DAY), id="issued in the future"),
        pytest.param(forged(sub="seven"), id="subject that is no id"),
        pytest.param(forged(exp="soon"), id="end that is no time"),
        pytest.param(forged(padding="x" * MAX_BYTES), id="oversized"),
        *(pytest.param(forged(without=claim), id=f"no {claim}") for claim in tokens._REQUIRED),
    ],
)
def test_any_other_is_refused(token: bytes) -> None:
    """S78: forged, foreign, expired, oversized or confused: an error that repeats nothing of it."""
    with pytest.raises(TokenError) as refused:
        TOKENS.read(token)
    assert str(refused.value).startswith("The access token ")


def test_a_public_key_is_no_secret() -> None:
    """S78: HMAC with the text of an RSA public key does not pass, whatever the header says (RFC 8725 §2.1)."""
    public = b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n"
    _, payload, _ = forged().split(b".")
    for algorithm in ("HS256", "RS256"):
        confused = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "at+jwt"}).encode()).rstrip(b"=")
        signed = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256").sign(confused + b"." + payload, public)
        with pytest.raises(TokenError):
            TOKENS.read(b".".join([confused, payload, base64.urlsafe_b64encode(signed).rstrip(b"=")]))


def test_a_remembered_token_expires_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """S78: what was verified once is refused as soon as its time is over, the leeway included."""
    token = TOKENS.issue(7, "a session").encode()
    end = TOKENS.read(token).expires
    monkeypatch.setattr(tokens.time, "time", lambda: end + LEEWAY - 1)
    assert TOKENS.read(token).subject == 7
    monkeypatch.setattr(tokens.time, "time", lambda: end + LEEWAY)
    with pytest.raises(TokenError, match="expired"):
        TOKENS.read(token)


def test_a_flood_of_tokens_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """S78: the memory has a bound, and what is refused takes none of it."""
    monkeypatch.setattr(tokens, "MAX_SEEN", 3)
    own = AccessTokens(KEY, "shop", int)
    for number in range(5):
        own.read(own.issue(number, "s").encode())
        with pytest.raises(TokenError):
            own.read(b"a.b.%d" % number)
    assert len(own._seen) == 3


def test_each_purpose_has_its_key() -> None:
    """S66: keys of 32 bytes, none the other's."""
    keys = {derive_key(b"secret", purpose) for purpose in (b"access token", b"mailed link")}
    assert len(keys) == 2
    assert {len(key) for key in keys} == {32}


def test_a_secret_shows_nothing_of_itself() -> None:
    """S66: what a log prints of a token or key has its name at most."""
    for token in (new_refresh_token("a" * 32), new_api_key()):
        assert token.secret not in repr(token)
        assert token.secret not in f"{token}"


@pytest.mark.anyio
async def test_a_dummy_hash_costs_what_a_real_one_does() -> None:
    """S36: its parameters are the hasher's own, and no password fits it."""
    assert not _HASHER.current_hasher.check_needs_rehash(DUMMY_HASH)
    assert not (await check_password("anything", None)).right
    assert not (await check_password("!", UNUSABLE)).right


@pytest.mark.anyio
async def test_a_hash_of_older_parameters_is_made_anew() -> None:
    """S36: at the next login with the right password, and with that only."""
    from pwdlib.hashers.argon2 import Argon2Hasher

    old = Argon2Hasher(memory_cost=8 * 1024, time_cost=1, parallelism=1).hash("analytical-1843")
    checked = await check_password("analytical-1843", old)
    assert checked.right
    assert checked.rehashed is not None
    assert checked.rehashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await check_password("wrong", old)) == (False, None)
    assert (await check_password("analytical-1843", await hash_password("analytical-1843"))) == (True, None)
