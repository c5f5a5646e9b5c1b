"""API keys of the reference application: made, shown once, used, revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.models import User
from colonnade import UnauthenticatedError
from colonnade.models.accounts import account_tables
from colonnade.schemas.accounts import ApiKeyCreate
from colonnade.services.accounts.api_keys import MAX_KEYS
from tests.library import places, problem
from tests.shop import PASSWORD, Json, bearer, new_user, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory", "postgresql")]

Client = httpx.AsyncClient
KEYS = account_tables(User).api_keys
NEW = {"name": "till 3", "scopes": ["orders:read", "users:read", "orders:read"]}


async def signed_in(shop: Client, name: str = "ada") -> dict[str, str]:
    """Register, sign in, and give the header."""
    await new_user(shop, name)
    return bearer(await sign_in(shop, name))


async def make_key(shop: Client, header: dict[str, str], **values: object) -> Json:
    """Make a key."""
    answer = await shop.post("auth/api-keys", json={**NEW, **values}, headers=header)
    assert answer.status_code == 201, answer.text
    key: Json = answer.json()
    return key


def by_key(key: Json) -> dict[str, str]:
    """Give the header of a machine."""
    return {"Authorization": f"Bearer {key['key']}"}


async def test_a_key_is_shown_once_and_stored_as_hash(shop_app: FastAPI, shop: Client) -> None:
    """S36, S78: the list tells it by its beginning; the table has neither the key nor what it could be made of."""
    header = await signed_in(shop)
    key = await make_key(shop, header)
    assert key["scopes"] == ["orders:read", "users:read"]
    assert key["key"].startswith(key["prefix"] + "_")
    answer = await shop.get("auth/api-keys", headers=header)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"api_keys": [{name: key[name] for name in key if name != "key"}], "total": 1}
    async with shop_app.state.database.session(read_only=True) as session:
        stored = str((await session.execute(sa.select(KEYS))).all())
    assert key["key"].rpartition("_")[2] not in stored


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_a_key_is_its_account_within_scopes(shop_app: FastAPI, shop: Client) -> None:
    """S78: id and role are the account's at this moment, the scopes are the key's; when it was used is noted."""
    header = await signed_in(shop)
    key = await make_key(shop, header)
    services = shop_app.state.colonnade.accounts
    for _ in range(2):
        principal = await services.authentication.principal_of(shop_app.state.database, key["key"].encode())
        assert (principal.id, principal.role) == (1, "user")
        assert principal.scopes == {"orders:read", "users:read"}
    assert (await shop.get("users/me", headers=by_key(key))).json()["username"] == "ada"
    listed = (await shop.get("auth/api-keys", headers=header)).json()["api_keys"]
    assert listed[0]["last_used_at"] is not None


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_a_revoked_key_is_refused_at_once(shop: Client) -> None:
    """S78: and revoking it a second time is a 404."""
    header = await signed_in(shop)
    key = await make_key(shop, header)
    place = f"auth/api-keys/{key['id']}"
    assert [(await shop.delete(place, headers=header)).status_code for _ in range(2)] == [204, 404]
    refused = await shop.get("users/me", headers=by_key(key))
    assert problem(refused, 401)["detail"] == "The API key does not hold, or not any longer."
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_key_of_a_deactivated_account_is_refused(shop_app: FastAPI, shop: Client) -> None:
    """S78: at its very next request."""
    key = await make_key(shop, await signed_in(shop))
    assert (await shop.get("users/me", headers=by_key(key))).status_code == 200
    async with shop_app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(User).values(is_active=False))
        await unit.commit()
    assert (await shop.get("users/me", headers=by_key(key))).status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [("logout-all", None), ("password", {"current_password": PASSWORD, "new_password": "difference-1843"})],
)
async def test_what_ends_every_session_revokes_the_keys(shop: Client, path: str, body: Json | None) -> None:
    """S78: whoever had the account for a minute made a key in it; the other accounts' keys go on."""
    header, other = await signed_in(shop), await signed_in(shop, "bob")
    key, kept = await make_key(shop, header), await make_key(shop, other)
    assert (await shop.post(f"auth/{path}", json=body, headers=header)).status_code == 204
    assert problem(await shop.get("users/me", headers=by_key(key)), 401)["code"] == "CLN300"
    assert (await shop.get("users/me", headers=by_key(kept))).status_code == 200


async def test_a_session_that_has_ended_makes_no_key(shop_app: FastAPI, shop: Client) -> None:
    """S78: it may end between the check of its token and the transaction that stores the key."""
    header = await signed_in(shop)
    services = shop_app.state.colonnade.accounts
    session = services.authentication.claims_of(header["Authorization"].removeprefix("Bearer ").encode()).session
    assert (await shop.post("auth/logout-all", headers=header)).status_code == 204
    with pytest.raises(UnauthenticatedError):
        await services.api_keys.create(shop_app.state.database, session, ApiKeyCreate.model_validate(NEW))


async def test_a_key_that_has_ended_is_refused(shop_app: FastAPI, shop: Client) -> None:
    """S78: from its end on."""
    header = await signed_in(shop)
    key = await make_key(shop, header, expires_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert (await shop.get("users/me", headers=by_key(key))).status_code == 200
    async with shop_app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(KEYS).values(expires_at=KEYS.c.created_at))
        await unit.commit()
    assert (await shop.get("users/me", headers=by_key(key))).status_code == 401


@pytest.mark.parametrize("change", ["name", "secret", "form", "length"])
@pytest.mark.databases("sqlite-memory")
async def test_a_key_that_was_changed_is_refused(shop: Client, change: str) -> None:
    """S78: another name, another secret, another form, or far too long."""
    key = await make_key(shop, await signed_in(shop))
    text = key["key"]
    head, _, secret = text.partition("_")[2].partition("_")
    changed = {
        "name": f"cln_{'0' * 12}_{secret}",
        "secret": f"cln_{head}_{secret[::-1]}",
        "form": text + "=",
        "length": text + "a" * 5_000,
    }[change]
    refused = await shop.get("users/me", headers={"Authorization": f"Bearer {changed}"})
    assert problem(refused, 401)["code"] == "CLN300"
    assert secret not in refused.text


@pytest.mark.databases("sqlite-memory")
async def test_a_key_can_not_do_what_only_a_person_may(shop: Client) -> None:
    """S78: change the password, end sessions, or make another key, of wider scopes say: 403."""
    key = await make_key(shop, await signed_in(shop))
    change = {"current_password": "x", "new_password": "difference-2"}
    answers = [
        await shop.post("auth/password", json=change, headers=by_key(key)),
        await shop.post("auth/logout-all", headers=by_key(key)),
        await shop.post("auth/api-keys", json=NEW, headers=by_key(key)),
        await shop.get("auth/api-keys", headers=by_key(key)),
        await shop.delete(f"auth/api-keys/{key['id']}", headers=by_key(key)),
    ]
    assert [problem(answer, 403)["code"] for answer in answers] == ["CLN301"] * 5


@pytest.mark.databases("sqlite-memory")
async def test_nobody_sees_or_revokes_the_keys_of_others(shop: Client) -> None:
    """S78: they are not in the list, and a 404 by their id; without a token everything is a 401."""
    key = await make_key(shop, await signed_in(shop))
    eve = await signed_in(shop, "eve")
    assert (await shop.get("auth/api-keys", headers=eve)).json() == {"api_keys": [], "total": 0}
    assert (await shop.delete(f"auth/api-keys/{key['id']}", headers=eve)).status_code == 404
    assert (await shop.delete("auth/api-keys/x", headers=eve)).status_code == 422
    assert (await shop.get("auth/api-keys")).status_code == 401
    assert (await shop.get("users/me", headers=by_key(key))).status_code == 200


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": ""}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["orders"]}, "/scopes/0"),
        ({"scopes": ["orders:read", "nothing:read"]}, "/scopes/1"),
        ({"scopes": ["orders:read users:read"]}, "/scopes/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2040-01-01T00:00:00"}, "/expires_at"),
        ({"account_id": 2}, "/account_id"),
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_a_new_key_is_checked(shop: Client, change: Json, place: str) -> None:
    """S17: 422 that names the field."""
    header = await signed_in(shop)
    assert places(await shop.post("auth/api-keys", json={**NEW, **change}, headers=header), 422) == [place]


@pytest.mark.databases("sqlite-memory")
async def test_an_account_has_so_many_keys_at_most(shop: Client) -> None:
    """S33: the list is bounded by what there may be."""
    header = await signed_in(shop)
    for _ in range(MAX_KEYS):
        await make_key(shop, header)
    refused = await shop.post("auth/api-keys", json=NEW, headers=header)
    assert problem(refused, 409)["code"] == "CLN412"
    assert (await shop.get("auth/api-keys", headers=header)).json()["total"] == MAX_KEYS


@pytest.mark.databases("sqlite-file", "postgresql")
async def test_a_key_holds_while_its_use_can_not_be_noted(shop_app: FastAPI, shop: Client) -> None:
    """A writer that holds the table for long makes no request of a machine fail; its next one is noted."""
    key = await make_key(shop, await signed_in(shop))
    database = shop_app.state.database
    async with database.unit_of_work() as unit:
        await unit.session.execute(sa.update(KEYS).values(name="held"))
        assert (await shop.get("users/me", headers=by_key(key))).status_code == 200
        await unit.session.rollback()
    assert await last_use(shop_app) is None
    assert (await shop.get("users/me", headers=by_key(key))).status_code == 200
    assert await last_use(shop_app) is not None


async def last_use(shop_app: FastAPI) -> object:
    """Give when the only key was used last."""
    async with shop_app.state.database.session(read_only=True) as session:
        return await session.scalar(sa.select(KEYS.c.last_used_at))
