"""Signing in at an outside provider: a real one, over real HTTP, with a browser's part played by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    AccountMixin,
    Accounts,
    Database,
    DeclarationError,
    IntegerId,
    OpenIDProvider,
    Policy,
    Resource,
    Routes,
    Settings,
    Versioned,
    account_tables,
    allow,
    anyone,
    create_app,
    hash_password,
)
from colonnade.security.openid import is_safe_next, open_login
from tests.library import problem
from tests.shop import PASSWORD, bearer

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient
URL = "https://club.test"


class Lodge(DeclarativeBase):
    """The base of this application's model."""


class Guest(AccountMixin, IntegerId, Versioned, Lodge):
    """Somebody with an address and a nickname."""

    __tablename__ = "guests"
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    nick: Mapped[str] = mapped_column(sa.String(50), unique=True)


OPEN = Policy(allow("everything", to=anyone))
IDENTITIES = account_tables(Guest).identities


PROVIDER = """
import sys

from authlib.oauth2.rfc7636 import CodeChallenge
from oidc_provider_mock import _app, run_server_in_thread

CHALLENGES = {}  # by code: the mock itself keeps none, and would give a token without any verifier


class Grant(_app.AuthorizationCodeGrant):
    def save_authorization_code(self, code, request):
        assert request.payload.data["code_challenge_method"] == "S256"
        CHALLENGES[code] = request.payload.data["code_challenge"]
        super().save_authorization_code(code, request)


class Proof(CodeChallenge):
    def get_authorization_code_challenge(self, code):
        return CHALLENGES[code.code]

    def get_authorization_code_challenge_method(self, code):
        return "S256"


class Code(_app.OpenIDCode):
    def __call__(self, grant):
        super().__call__(grant)
        Proof(required=True)(grant)


_app.AuthorizationCodeGrant, _app.OpenIDCode = Grant, Code

with run_server_in_thread(require_nonce=True) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that lets everybody in who proves his code (PKCE), in a process of its own: its warnings are not for us."""
    command = [sys.executable, "-W", "ignore", "-c", PROVIDER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://localhost:{int(process.stdout.readline())}"
        process.stdin.close()


class Club(NamedTuple):
    """The application, a browser that is on it, and the provider."""

    app: FastAPI
    browser: Client
    issuer: str

    async def knows(self, subject: str, **claims: object) -> None:
        """Tell the provider who somebody is."""
        async with Client() as http:
            answer = await http.put(f"{self.issuer}/users/{subject}", json=claims)
            assert answer.status_code == 204

    async def begin(self, following: str = "") -> str:
        """Begin a login, and give the address to which the browser is sent."""
        answer = await self.browser.get("auth/oidc/mock/login", params={"next": following} if following else {})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def confirm(self, place: str, subject: str) -> str:
        """Say yes at the provider, and give the address to which it sends the browser back."""
        async with Client() as http:
            answer = await http.post(place, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        back = answer.headers["location"]
        assert back.startswith(f"{URL}/api/auth/oidc/mock/callback?")
        return back

    async def login(self, subject: str, following: str = "") -> httpx.Response:
        """Do all of it."""
        return await self.browser.get(await self.confirm(await self.begin(following), subject))

    async def me(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Ask who the tokens are of."""
        answer = await self.browser.get("guests/me", headers=bearer(tokens))
        row: dict[str, Any] = answer.json()
        return row

    async def store(self, **values: Any) -> None:
        """Store an account, as if it was registered."""
        row = {"nick": "ada", "hashed_password": await hash_password(PASSWORD), **values}
        async with self.app.state.database.unit_of_work() as unit:
            unit.session.add(Guest(**row))
            await unit.commit()


@asynccontextmanager
async def opened(database_url: str, providers: Sequence[OpenIDProvider]) -> AsyncIterator[FastAPI]:
    """Start the application, whose guests may come from these providers."""
    accounts = Accounts(Guest, login=("email", "nick"), public_url=URL, providers=providers)
    database = Database(database_url, metadata=Lodge.metadata)
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
    app = create_app(
        [Resource(Guest, routes=Routes(me=True), policy=OPEN)], accounts=accounts, database=database, settings=settings
    )
    async with app.router.lifespan_context(app):
        yield app


def browser_of(app: FastAPI) -> Client:
    """Make a browser that is on the application."""
    return Client(transport=httpx.ASGITransport(app), base_url=f"{URL}/api/")


@pytest.fixture
async def club(database_url: str, issuer: str) -> AsyncIterator[Club]:
    """The application on an empty database."""
    provider = OpenIDProvider("mock", issuer, "club", SecretStr("a secret & more"))
    async with opened(database_url, [provider]) as app, browser_of(app) as browser:
        yield Club(app, browser, issuer)


async def test_who_is_new_gets_an_account(club: Club) -> None:
    """S78: of the verified address; the second time it is the same one, by issuer and subject, whatever the address is."""
    await club.knows("u1", email="Ada@example.com", email_verified=True, name="Ada")
    first = await club.login("u1")
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-store"
    row = await club.me(first.json())
    assert (row["email"], row["role"]) == ("ada@example.com", "user")
    assert row["email_verified_at"] is not None
    await club.knows("u1", email="other@example.com", email_verified=True)
    assert (await club.me((await club.login("u1")).json()))["id"] == row["id"]
    for password in ("", "!", PASSWORD):
        answer = await club.browser.post("auth/token", data={"username": "ada@example.com", "password": password})
        assert answer.status_code == 401


async def test_a_verified_address_joins_the_two(club: Club) -> None:
    """S78: an account that has verified the same address is the identity's from now on."""
    await club.store(email="bob@example.com", email_verified_at=sa.func.now())
    await club.knows("u2", email="bob@example.com", email_verified=True)
    answer = await club.login("u2")
    assert (await club.me(answer.json()))["nick"] == "ada"
    async with club.app.state.database.session(read_only=True) as session:
        found = (await session.execute(sa.select(IDENTITIES.c.issuer, IDENTITIES.c.subject))).all()
    assert found == [(club.issuer, "u2")]


@pytest.mark.databases("sqlite-memory")
async def test_an_address_that_was_not_verified_here_joins_nothing(club: Club) -> None:
    """S78: whoever registered somebody's address first does not wait in his account for him."""
    await club.store(email="cyd@example.com")
    await club.knows("u3", email="cyd@example.com", email_verified=True)
    assert problem(await club.login("u3"), 409)["code"] == "CLN412"


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    "claims", [{}, {"email": "dan@example.com"}, {"email": "dan@example.com", "email_verified": "true"}]
)
async def test_an_address_that_was_not_verified_there_is_none(club: Club, claims: dict[str, object]) -> None:
    """S78: an account that has it is not the identity's, and no account is made of it."""
    await club.store(email="dan@example.com", email_verified_at=sa.func.now())
    await club.knows("u4", **claims)
    assert problem(await club.login("u4"), 403)["code"] == "CLN301"


@pytest.mark.databases("sqlite-memory")
async def test_a_deactivated_account_does_not_get_in(club: Club) -> None:
    """S78: by a provider no more than by a password."""
    await club.knows("u5", email="eve@example.com", email_verified=True)
    await club.login("u5")
    async with club.app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(Guest).values(is_active=False))
        await unit.commit()
    assert (await club.login("u5")).status_code == 401


@pytest.mark.databases("sqlite-memory")
async def test_the_request_has_state_nonce_and_challenge(club: Club) -> None:
    """S78: the code challenge is of the verifier that the browser keeps, sealed, in a cookie that no script sees."""
    answer = await club.browser.get("auth/oidc/mock/login")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    cookie = answer.headers["set-cookie"]
    assert "; Path=/api/auth/oidc/mock; Max-Age=600; HttpOnly; SameSite=Lax; Secure" in cookie
    kept = cookie.partition("=")[2].partition(";")[0]
    login = open_login(club.app.state.colonnade.accounts.login_seal, "mock", kept)
    assert login is not None
    assert asked["code_challenge"] == create_s256_code_challenge(login.verifier)
    assert asked["code_challenge_method"] == "S256"
    assert (asked["state"], asked["nonce"]) == (login.state, login.nonce)
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", "club", "openid email profile")
    assert asked["redirect_uri"] == f"{URL}/api/auth/oidc/mock/callback"
    assert login.verifier not in answer.headers["location"] + cookie


@pytest.mark.databases("sqlite-memory")
async def test_the_next_page_gets_a_token_for_a_minute(club: Club) -> None:
    """S78: behind `#`, which no server sees; it is good for one use."""
    await club.knows("u6", email="fay@example.com", email_verified=True)
    answer = await club.login("u6", "/account?tab=1")
    assert answer.status_code == 303
    page, _, token = answer.headers["location"].partition("#refresh_token=")
    assert page == "/account?tab=1"
    async with club.app.state.database.session(read_only=True) as session:
        created, expires = (await session.execute(sa.text("SELECT created_at, expires_at FROM login_sessions"))).one()
    assert expires[:16] > created[:16]
    assert expires[:10] == created[:10] or expires[11:13] == "00"
    answers = [await club.browser.post("auth/refresh", json={"refresh_token": token}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]


@pytest.mark.parametrize(
    "path",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "\\\\evil.test", "/\tx", "/a\nb", "evil", "javascript:alert(1)",
     "/a#b", "/" + "a" * 500, "/ä", "/%0d%0a\r\n"],
)  # fmt: skip
def test_a_place_elsewhere_is_no_next_page(path: str) -> None:
    """S78: neither another host, however it is written, nor anything that ends a header."""
    assert not is_safe_next(path)


@pytest.mark.databases("sqlite-memory")
async def test_an_unsafe_next_page_is_refused(club: Club) -> None:
    """S78: before the browser is sent anywhere."""
    for query in ("next=//evil.test", "next=https://evil.test", "other=1"):
        assert (await club.browser.get(f"auth/oidc/mock/login?{query}")).status_code == 422
    assert (await club.browser.get("auth/oidc/mock/login?next=/a&next=/b")).status_code == 400
    assert is_safe_next("/account?tab=1&x=%2F")


@pytest.mark.databases("sqlite-memory")
async def test_an_answer_of_another_login_is_refused(club: Club) -> None:
    """S78: another state, no cookie, another browser's, or one that was used: nobody is signed in by somebody's code."""
    await club.knows("u7", email="gus@example.com", email_verified=True)
    back = await club.confirm(await club.begin(), "u7")
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert (await club.browser.get(back.replace(state, "x" * len(state)))).status_code == 401
    assert (await club.browser.get(back.partition("&state")[0] + "&error=x")).status_code == 401
    assert (await club.browser.get(back + "&iss=https://evil.test")).status_code == 401
    async with Client(transport=club.browser._transport, base_url=club.browser.base_url) as stranger:
        assert (await stranger.get(back)).status_code == 401
        await stranger.get("auth/oidc/mock/login")  # with a login of its own
        assert (await stranger.get(back)).status_code == 401
    assert (await club.browser.get(back)).status_code == 200
    assert (await club.browser.get(back)).status_code == 401


@pytest.mark.databases("sqlite-memory")
async def test_a_code_of_another_login_is_refused(club: Club) -> None:
    """S78: somebody's code with one's own state: the nonce in the token is not this login's."""
    await club.knows("u8", email="hal@example.com", email_verified=True)
    other = await club.confirm(await club.begin(), "u8")
    mine = await club.confirm(await club.begin(), "u8")
    codes = [parse_qs(urlsplit(back).query)["code"][0] for back in (other, mine)]
    assert (await club.browser.get(mine.replace(codes[1], codes[0]))).status_code == 401


@pytest.mark.databases("sqlite-memory")
async def test_a_code_is_good_with_its_verifier_only(club: Club) -> None:
    """S78: who has caught a code on its way, and even the client's secret, has nothing (RFC 7636 §1)."""
    await club.knows("u9", email="ivy@example.com", email_verified=True)
    seal, jar = club.app.state.colonnade.accounts.login_seal, club.browser.cookies
    back = await club.confirm(await club.begin(), "u9")
    kept = jar["login_mock"]
    login = open_login(seal, "mock", kept)
    assert login is not None
    jar.set("login_mock", login._replace(verifier="v" * 48).seal(seal, "mock"), "club.test", "/api/auth/oidc/mock")
    assert problem(await club.browser.get(back), 401)["code"] == "CLN300"


@pytest.mark.databases("sqlite-memory")
async def test_an_answer_counts_at_the_provider_that_was_asked_only(database_url: str, issuer: str) -> None:
    """S78: a provider that turns bad gets no code that another one gave (mix-up, RFC 9700 §4.4)."""
    names = ("mock", "other")
    providers = [OpenIDProvider(name, issuer, "club", SecretStr("x")) for name in names]
    async with opened(database_url, providers) as app, browser_of(app) as browser:
        club = Club(app, browser, issuer)
        back = await club.confirm(await club.begin(), "u10")
        await browser.get("auth/oidc/other/login")
        answers = [await browser.get(back.replace("/mock/", "/other/"))]
        browser.cookies.set("login_other", browser.cookies["login_mock"], "club.test", "/api/auth/oidc/other")
        assert browser.cookies["login_other"] == browser.cookies["login_mock"]
        answers.append(await browser.get(back.replace("/mock/", "/other/")))
        assert [problem(answer, 401)["code"] for answer in answers] == ["CLN300"] * 2


@pytest.mark.databases("sqlite-memory")
async def test_a_provider_that_says_another_issuer_is_none(database_url: str, issuer: str) -> None:
    """S78: what its metadata say has to be what was declared, character for character (OpenID Connect Discovery §4.3)."""
    providers = [OpenIDProvider("mock", f"{issuer}/", "club", SecretStr("x"))]
    async with opened(database_url, providers) as app, browser_of(app) as browser:
        assert problem(await browser.get("auth/oidc/mock/login"), 503)["code"] == "CLN520"


@pytest.mark.databases("sqlite-memory")
async def test_a_provider_that_is_away_is_told(database_url: str) -> None:
    """S17: 503 with Retry-After."""
    provider = OpenIDProvider("away", "http://localhost:1", "club", SecretStr("x"))
    async with opened(database_url, [provider]) as app, browser_of(app) as browser:
        answer = await browser.get("auth/oidc/away/login")
        assert problem(answer, 503)["code"] == "CLN520"
        assert "retry-after" in answer.headers


def test_a_provider_is_checked_when_it_is_declared() -> None:
    """S78: its name stands in paths, its issuer is https, and it never shows its secret."""
    secret = SecretStr("hush")
    for name, issuer in (("a/b", "https://id.test"), ("A", "https://id.test"), ("a", "http://id.test"), ("a", "id")):
        with pytest.raises(DeclarationError):
            OpenIDProvider(name, issuer, "club", secret)
    provider = OpenIDProvider("id", "https://id.test", "club", secret)
    assert "hush" not in repr(provider)
    with pytest.raises(DeclarationError, match="public_url"):
        Accounts(Guest, providers=[provider])
