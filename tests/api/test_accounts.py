"""Signing in and out of the reference application, from outside, on every database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.main import build
from app.models import Product, User, UserRole
from colonnade import (
    ANONYMOUS,
    AccountMixin,
    Accounts,
    Base,
    CommonPasswords,
    Database,
    DeclarationError,
    Principal,
    Settings,
    UUIDv7Id,
    account_tables,
    get_principal,
    hash_password,
    install,
)
from colonnade.core.errors import InvalidBodyError
from colonnade.models.mixins import uuid7
from tests.library import problem
from tests.shop import HOST, PASSWORD, Json, bearer, new_user, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory", "postgresql")]

Client = httpx.AsyncClient
TABLES = account_tables(User)
INVALID = 'Bearer error="invalid_token"'


async def change_user(app: FastAPI, id: int = 1, **values: Any) -> None:
    """Change a user's row behind the application's back, as an administrator's worker would."""
    async with app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(User).where(User.id == id).values(**values))
        await unit.commit()


async def sessions_of(app: FastAPI) -> int:
    """Count the sessions that run."""
    async with app.state.database.session(read_only=True) as session:
        return int(await session.scalar(sa.select(sa.func.count()).select_from(TABLES.sessions)))


async def me(shop: Client, tokens: Json) -> httpx.Response:
    """Ask who the tokens are of."""
    return await shop.get("users/me", headers=bearer(tokens))


@pytest.mark.parametrize("name", ["ada@example.com", "ADA@example.com", "ada"])
async def test_a_password_gives_tokens(shop: Client, name: str) -> None:
    """S17, S78: by e-mail address, whatever its case, or by username; no cache may keep the answer."""
    await new_user(shop)
    answer = await shop.post("auth/token", data={"username": name, "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    assert (await me(shop, tokens)).status_code == 200


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_the_token_is_of_the_account(shop: Client) -> None:
    """S78: `/users/me` is the row of whoever signed in, whole, with its entity tag, and beside no other's id."""
    await new_user(shop, "eve")
    ada = await new_user(shop)
    tokens = await sign_in(shop, "ada")
    answer = await me(shop, tokens)
    row = (await shop.get(f"users/{ada['id']}")).json()
    assert answer.json() == row
    assert row["last_login_at"] is not None
    assert answer.headers["cache-control"] == "no-store"
    again = await shop.get("users/me", headers={**bearer(tokens), "If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    narrow = await shop.get("v1/users/me?fields=username", headers=bearer(tokens))
    assert narrow.json() == {"username": "ada"}


async def test_me_is_nobody_without_a_token(anybody: Client) -> None:
    """S17: 401 with `WWW-Authenticate: Bearer`."""
    answer = await anybody.get("users/me")
    assert problem(answer, 401)["code"] == "CLN300"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong-1843"), ("nobody", PASSWORD)])
async def test_wrong_credentials_are_refused_in_one_text(shop: Client, name: str, password: str) -> None:
    """S17: whether the account or the password is wrong is not told."""
    await new_user(shop)
    answer = await shop.post("auth/token", data={"username": name, "password": password})
    document = problem(answer, 401)
    assert document["detail"] == "There is no account of this name with this password."
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_deactivated_account_does_not_get_in(shop_app: FastAPI, shop: Client) -> None:
    """S78: nor does one that was deleted."""
    await new_user(shop)
    await new_user(shop, "bob")
    await change_user(shop_app, is_active=False)
    await shop.delete("users/2")
    for name in ("ada", "bob"):
        answer = await shop.post("auth/token", data={"username": name, "password": PASSWORD})
        assert problem(answer, 401)["detail"] == "There is no account of this name with this password."


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        ("username=ada&password=x-1", "application/json", 415),
        ("username=ada&username=eve&password=x", "application/x-www-form-urlencoded", 400),
        ("username=%ff&password=x", "application/x-www-form-urlencoded", 400),
        ("username=\xe4&password=x", "application/x-www-form-urlencoded", 400),
        ("&".join(f"f{n}=1" for n in range(30)), "application/x-www-form-urlencoded", 400),
        ("username=ada", "application/x-www-form-urlencoded", 422),
        ("username=a%00da&password=x", "application/x-www-form-urlencoded", 422),
        ("username=ada&password=x&grant_type=client_credentials", "application/x-www-form-urlencoded", 422),
        (f"username=ada&password={'x' * 1001}", "application/x-www-form-urlencoded", 422),
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_a_form_that_is_none_is_refused(shop: Client, content: str, media: str, status: int) -> None:
    """S17: 415 for another media type, 400 for what can't be read, 422 for values that do not fit."""
    answer = await shop.post("auth/token", content=content.encode(), headers={"Content-Type": media})
    assert "x-1" not in problem(answer, status)["detail"]


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_a_refresh_token_is_good_for_one_use(shop_app: FastAPI, shop: Client) -> None:
    """S78: it gives the next one; a second use ends the session and every token of it."""
    await new_user(shop)
    first = await sign_in(shop, "ada")
    answer = await shop.post("auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await me(shop, first)).status_code == (await me(shop, second)).status_code == 200
    reused = await shop.post("auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert problem(reused, 401)["code"] == "CLN300"
    assert await sessions_of(shop_app) == 0
    assert (await me(shop, second)).status_code == 401
    later = await shop.post("auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert later.status_code == 401


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_of_refreshes_at_once_at_most_one_lives(shop_app: FastAPI, shop: Client) -> None:
    """S78: ten at once with one token: at most one answer is 200, and at most one session lives afterwards."""
    await new_user(shop)
    token = (await sign_in(shop, "ada"))["refresh_token"]
    answers = await asyncio.gather(*(shop.post("auth/refresh", json={"refresh_token": token}) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9
    assert await sessions_of(shop_app) <= 1


@pytest.mark.parametrize("text", ["", "x", "0" * 32 + "." + "a" * 43, "ä" * 76])
@pytest.mark.databases("sqlite-memory")
async def test_what_is_no_refresh_token_is_refused(shop: Client, text: str) -> None:
    """S17: 401, whatever it looks like."""
    answer = await shop.post("auth/refresh", json={"refresh_token": text})
    assert problem(answer, 401)["code"] == "CLN300"


async def test_a_session_lasts_a_week_from_its_last_use_and_a_month_at_most(shop_app: FastAPI, shop: Client) -> None:
    """S78: the refresh token of a session whose time is over is refused, and the session is gone."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    table = TABLES.sessions
    async with shop_app.state.database.session(read_only=True) as session:
        row = (await session.execute(sa.select(table))).one()
    assert (row.expires_at - row.created_at).days == 7
    async with shop_app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(table).values(expires_at=row.created_at))
        await unit.commit()
    answer = await shop.post("auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 401
    assert await sessions_of(shop_app) == 0


async def test_logout_ends_the_session_at_once(shop: Client) -> None:
    """S78: the very next request with its access token is refused, its refresh token too; other sessions go on."""
    await new_user(shop)
    here, there = await sign_in(shop, "ada"), await sign_in(shop, "ada")
    answer = await shop.post("auth/logout", headers=bearer(here))
    assert (answer.status_code, answer.content) == (204, b"")
    refused = await me(shop, here)
    assert problem(refused, 401)["code"] == "CLN300"
    assert refused.headers["www-authenticate"] == INVALID
    assert (await shop.post("auth/refresh", json={"refresh_token": here["refresh_token"]})).status_code == 401
    assert (await me(shop, there)).status_code == 200


async def test_logout_by_the_refresh_token(shop: Client) -> None:
    """S78: an access token that has expired is no obstacle; a second time is no error, nothing at all is a 401."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    for _ in range(2):
        answer = await shop.post("auth/logout", json={"refresh_token": tokens["refresh_token"]})
        assert answer.status_code == 204
    assert (await me(shop, tokens)).status_code == 401
    assert (await shop.post("auth/logout")).status_code == 401


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_logout_everywhere(shop: Client) -> None:
    """S78: every session of the account ends, nobody else's."""
    await new_user(shop)
    await new_user(shop, "bob")
    sessions = [await sign_in(shop, "ada") for _ in range(3)]
    other = await sign_in(shop, "bob")
    assert (await shop.post("auth/logout-all", headers=bearer(sessions[0]))).status_code == 204
    for tokens in sessions:
        assert (await me(shop, tokens)).status_code == 401
        refreshed = await shop.post("auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert refreshed.status_code == 401
    assert (await me(shop, other)).status_code == 200


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_a_change_of_password_ends_every_session(shop: Client) -> None:
    """S36, S78: the old password and the old tokens are refused, the new password signs in."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    change = {"current_password": PASSWORD, "new_password": "difference-2"}
    assert (await shop.post("auth/password", json=change, headers=bearer(tokens))).status_code == 204
    assert (await me(shop, tokens)).status_code == 401
    old = await shop.post("auth/token", data={"username": "ada", "password": PASSWORD})
    assert old.status_code == 401
    assert (await me(shop, await sign_in(shop, "ada", "difference-2"))).status_code == 200


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"current_password": "wrong-1843", "new_password": "difference-2"}, "/current_password"),
        ({"current_password": PASSWORD, "new_password": "short-1"}, "/new_password"),
        ({"current_password": PASSWORD, "new_password": "no digit at all"}, "/new_password"),
        ({"current_password": PASSWORD, "new_password": "a1" * 65}, "/new_password"),
        ({"current_password": PASSWORD}, "/new_password"),
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_a_change_of_password_is_checked(shop: Client, change: Json, place: str) -> None:
    """S9, S36: 422 that names the field; the password stays, and so does the session."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    answer = await shop.post("auth/password", json=change, headers=bearer(tokens))
    assert [fault["pointer"] for fault in problem(answer, 422)["errors"]] == [place]
    assert (await me(shop, tokens)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"is_deleted": True, "alive": None}, {"token_version": User.token_version + 1}],
    ids=["deactivated", "deleted", "version"],
)
async def test_a_change_of_the_account_counts_at_the_next_request(
    shop_app: FastAPI, shop: Client, change: dict[str, Any]
) -> None:
    """S78: deactivated, deleted, or with its tokens called back: refused, and no refresh helps."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    assert (await me(shop, tokens)).status_code == 200
    await change_user(shop_app, **change)
    assert (await me(shop, tokens)).headers["www-authenticate"] == INVALID
    # Whoever sends a token that does not hold is told so, even where nobody has to sign in.
    assert (await shop.get("products", headers=bearer(tokens))).status_code == 401
    refreshed = await shop.post("auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401


async def test_the_role_is_the_rows_own(shop_app: FastAPI, shop: Client) -> None:
    """S78: a promotion and a demotion count at the next request; the token knows no role."""
    await new_user(shop)
    token = (await sign_in(shop, "ada"))["access_token"].encode()
    services = shop_app.state.colonnade.accounts
    roles = []
    for role in (UserRole.ADMIN, UserRole.USER):
        await change_user(shop_app, role=role)
        principal = await services.authentication.principal_of(shop_app.state.database, token)
        roles.append((principal.id, principal.role, principal.scopes))
    assert roles == [(1, "admin", None), (1, "user", None)]


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_expired_sessions_are_removed(shop_app: FastAPI, shop: Client) -> None:
    """S78: what nobody can use any longer does not stay for ever."""
    await new_user(shop)
    for _ in range(2):
        await sign_in(shop, "ada")
    table = TABLES.sessions
    async with shop_app.state.database.unit_of_work() as unit:
        one = await unit.session.scalar(sa.select(sa.func.min(table.c.id)))
        await unit.session.execute(sa.update(table).where(table.c.id == one).values(expires_at=table.c.created_at))
        await unit.commit()
    await shop_app.state.colonnade.accounts.sessions.purge(shop_app.state.database)
    assert await sessions_of(shop_app) == 1


@pytest.mark.databases("sqlite-file", "postgresql")
async def test_what_one_worker_does_counts_for_the_other(database_url: str) -> None:
    """S78: a token that the other worker has seen already is refused by it at its next request."""
    async with AsyncExitStack() as stack:
        workers = []
        for _ in range(2):
            settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
            app = build(settings, Database(database_url, metadata=Base.metadata))
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = Client(transport=httpx.ASGITransport(app), base_url=f"{HOST}/api/")
            workers.append(await stack.enter_async_context(client))
        one, other = workers
        await new_user(one)
        for path, body in (("logout", None), ("logout-all", None), ("password", {"new_password": "difference-2"})):
            tokens = await sign_in(one, "ada")
            assert (await me(other, tokens)).status_code == 200
            sent = None if body is None else {"current_password": PASSWORD, **body}
            assert (await one.post(f"auth/{path}", json=sent, headers=bearer(tokens))).status_code == 204
            assert (await me(other, tokens)).status_code == 401


@pytest.mark.databases("sqlite-memory")
async def test_a_common_password_is_refused(database_url: str, tmp_path: Path) -> None:
    """S36: where a list of them is set, whatever their case; an account that has one already keeps it."""
    listed = tmp_path / "common.txt"
    listed.write_text("password1\nDifference-2\n", encoding="utf-8")
    settings = Settings(env="test", common_passwords=listed, _env_file=None)  # type: ignore[call-arg]
    app = build(settings, Database(database_url, metadata=Base.metadata))
    client = Client(transport=httpx.ASGITransport(app), base_url=f"{HOST}/api/")
    async with app.router.lifespan_context(app), client as shop:
        await new_user(shop)
        tokens = await sign_in(shop, "ada")
        change = {"current_password": PASSWORD, "new_password": "dIFFERENCE-2"}
        answer = await shop.post("auth/password", json=change, headers=bearer(tokens))
        assert problem(answer, 422)["errors"][0]["code"] == "password_common"
        assert (await me(shop, tokens)).status_code == 200
    with pytest.raises(InvalidBodyError):
        CommonPasswords(listed).refuse("Password1", "/password")
    CommonPasswords().refuse("password1", "/password")


@pytest.mark.databases("sqlite-memory")
async def test_openapi_tells_who_may_call(shop_app: FastAPI) -> None:
    """S28, S78: the Authorize button finds its way, and each operation says whether it needs a token."""
    document = shop_app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["Password"]["flows"]["password"]["tokenUrl"] == "/api/v1/auth/token"
    assert schemes["Bearer"]["scheme"] == "bearer"
    paths = document["paths"]
    assert {} in paths["/api/v1/products"]["get"]["security"]
    assert {} not in paths["/api/v1/users/me"]["get"]["security"]
    assert "security" not in paths["/api/v1/auth/token"]["post"]
    assert all("401" in paths[path][method]["responses"] for path, method in [("/api/v1/products", "post")])
    form = paths["/api/v1/auth/token"]["post"]["requestBody"]["content"]
    assert set(form["application/x-www-form-urlencoded"]["schema"]["required"]) == {"username", "password"}


@pytest.mark.databases("sqlite-memory")
async def test_an_existing_application_takes_accounts_in(database_url: str) -> None:
    """S78: `install` knows who calls, in the application's own endpoints too; the token is of the model's UUID."""

    class Shelf(DeclarativeBase):
        pass

    class Member(AccountMixin, UUIDv7Id, Shelf):
        __tablename__ = "members"
        name: Mapped[str] = mapped_column(sa.String(50), unique=True)

    accounts = Accounts(Member, login=("name",), email=None)
    app = FastAPI()
    app.include_router(accounts.router)

    @app.get("/whoami")
    async def whoami(principal: Annotated[Principal, Depends(get_principal)]) -> dict[str, Any]:
        return {"id": str(principal.id), "role": principal.role, "nobody": principal == ANONYMOUS}

    database = Database(database_url, metadata=Shelf.metadata)
    install(app, database, accounts=accounts, secret_key="k" * 32)
    await database.start(create_tables=True)
    id = uuid7()
    async with database.unit_of_work() as unit:
        unit.session.add(Member(id=id, name="Ada", hashed_password=await hash_password(PASSWORD), role="keeper"))
        await unit.commit()
    async with Client(transport=httpx.ASGITransport(app), base_url="http://club.test/") as club:
        tokens = await sign_in(club, "Ada")
        answer = await club.get("whoami", headers=bearer(tokens))
        assert answer.json() == {"id": str(id), "role": "keeper", "nobody": False}
        assert answer.headers["cache-control"] == "no-store"
        assert (await club.get("whoami")).json()["nobody"] is True
        assert (await club.get("whoami", headers={"Authorization": "Bearer x"})).status_code == 401
    await database.dispose()


@pytest.mark.parametrize(
    ("login", "email", "told"),
    [(("nick",), None, "nick"), ((), None, "name the fields"), (("username",), "id", "'id'")],
)
def test_accounts_are_checked_when_they_are_declared(login: tuple[str, ...], email: str | None, told: str) -> None:
    """S78: a field that is no text column, and a model without the mixin, are told at once."""
    with pytest.raises(DeclarationError, match=told):
        Accounts(User, login=login, email=email)
    with pytest.raises(DeclarationError, match="AccountMixin"):
        Accounts(Product)


@pytest.mark.databases("sqlite-memory")
async def test_a_deleted_account_takes_its_sessions_along(shop_app: FastAPI, shop: Client) -> None:
    """S78: for good, and nothing of it stays."""
    await new_user(shop)
    await sign_in(shop, "ada")
    assert (await shop.delete("users/1?permanent=true")).status_code == 204
    assert await sessions_of(shop_app) == 0
