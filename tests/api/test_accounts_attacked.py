"""What somebody may try who is not who he says, or wants to know who is."""

from __future__ import annotations

import logging
import random
import statistics
import time

import httpx
import jwt
import pytest
from fastapi import FastAPI

from app.main import build
from colonnade import Base, Database, Settings
from colonnade.core.settings import DEFAULT_SECRET_KEY
from tests.library import problem
from tests.shop import HOST, PASSWORD, bearer, new_product, new_user, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]

Client = httpx.AsyncClient


async def test_no_token_does_another_ones_work(shop: Client) -> None:
    """S78: a refresh token is no access token, an access token no refresh token."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    header = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    assert (await shop.get("users/me", headers=header)).status_code == 401
    assert (await shop.post("auth/refresh", json={"refresh_token": tokens["access_token"]})).status_code == 401
    assert (await shop.get("users/me", headers=bearer(tokens))).status_code == 200


async def test_a_token_of_another_account_s_session_is_refused(shop_app: FastAPI, shop: Client) -> None:
    """S78: even one that is signed rightly, when its session is somebody else's or never was."""
    await new_user(shop)
    await new_user(shop, "eve")
    claims = jwt.decode((await sign_in(shop, "eve"))["access_token"], options={"verify_signature": False})
    tokens = shop_app.state.colonnade.accounts.sessions._tokens
    for subject, session in ((1, claims["sid"]), (2, "0" * 32), (99, claims["sid"])):
        header = {"Authorization": f"Bearer {tokens.issue(subject, session)}"}
        assert (await shop.get("users/me", headers=header)).status_code == 401


@pytest.mark.parametrize(
    "key", [DEFAULT_SECRET_KEY.encode(), b"", b"secret" * 8], ids=["the setting itself", "empty", "guessed"]
)
async def test_a_token_signed_by_a_guessed_key_is_refused(shop: Client, key: bytes) -> None:
    """S66, S78: the key of the signature is derived from `SECRET_KEY`, and is not it."""
    await new_user(shop)
    claims = jwt.decode((await sign_in(shop, "ada"))["access_token"], options={"verify_signature": False})
    token = jwt.encode(claims, key.ljust(32, b"\0"), "HS256", {"typ": "at+jwt"})
    assert (await shop.get("users/me", headers={"Authorization": f"Bearer {token}"})).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Basic YWRhOng=",
        "bearer\t x",
        "Token x",
        "Bearer x y",
        "Bearer " + "a" * 60_000,
        "Bearer ä",
    ],
    ids=range(8),
)
async def test_a_header_that_is_none_is_refused(shop: Client, value: str) -> None:
    """S17: 401 with a challenge, on whatever route it is sent to; never taken for nobody."""
    for path in ("users/me", "products"):
        answer = await shop.get(path, headers={"Authorization": value.encode("latin-1")})
        assert problem(answer, 401)["code"] == "CLN300"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_two_headers_are_none(shop: Client) -> None:
    """S78: which of them counts is nobody's to guess."""
    await new_user(shop)
    header = bearer(await sign_in(shop, "ada"))["Authorization"]
    answer = await shop.get("users/me", headers=[("Authorization", header), ("Authorization", header)])
    assert answer.status_code == 401


async def test_a_batch_signs_nobody_in(shop: Client) -> None:
    """S78: the routes of accounts are no part of a batch, and an operation of one brings no credentials of its own."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    for path in ("logout-all", "refresh", "token", "api-keys"):
        body = {"operations": [{"id": "a", "method": "POST", "path": f"/api/v1/auth/{path}", "body": {}}]}
        answer = await shop.post("batch", json=body, headers=bearer(tokens))
        assert problem(answer, 422)["errors"][0]["code"] == "path_unknown"
    operation = {"id": "a", "method": "POST", "path": "/api/v1/products", "headers": bearer(tokens)}
    assert (await shop.post("batch", json={"operations": [operation]})).status_code == 422


async def test_an_idempotency_key_is_its_accounts_own(shop: Client) -> None:
    """S78: the same key of somebody else is another request, and shows nothing of the first one's answer."""
    headers = []
    for name in ("ada", "eve"):
        await new_user(shop, name)
        headers.append({**bearer(await sign_in(shop, name)), "Idempotency-Key": "one"})
    await new_product(shop)
    answers = [
        await shop.post("orders", json={"user_id": id, "lines": [{"product_id": 1, "quantity": 1}]}, headers=header)
        for id, header in zip((1, 2), headers, strict=True)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_no_log_and_no_answer_has_a_secret(shop: Client, caplog: pytest.LogCaptureFixture) -> None:
    """S66: neither passwords nor tokens, whatever goes well or wrong, at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    secrets = [PASSWORD, "wrong-1843", "difference-2", *(tokens[name] for name in ("access_token", "refresh_token"))]
    change = {"current_password": "wrong-1843", "new_password": "difference-2", "extra": tokens["refresh_token"]}
    answers = [
        await shop.post("auth/token", data={"username": "ada", "password": "wrong-1843"}),
        await shop.post("auth/token", json={"username": "ada", "password": PASSWORD}),
        await shop.post("auth/password", json=change, headers=bearer(tokens)),
        await shop.post("auth/refresh", json={"refresh_token": tokens["refresh_token"] + "x"}),
        await shop.post("auth/refresh", json={"refresh_token": [tokens["refresh_token"]]}),
        await shop.get("users/me", headers={"Authorization": f"Bearer {tokens['access_token']}x"}),
        await shop.get("users/me", headers=bearer(tokens)),
    ]
    for secret in secrets:
        assert secret not in caplog.text
        assert not any(secret in answer.text for answer in answers)


async def test_a_representation_shows_no_secret_of_the_account(shop: Client) -> None:
    """S11: neither the hash nor the version of the tokens, and no list takes them as a parameter."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    shown = (await shop.get("users/me", headers=bearer(tokens))).json()
    assert not {"hashed_password", "token_version"} & set(shown)
    for query in ("token_version=0", "sort=token_version", "fields=token_version", "hashed_password__gte=a"):
        assert (await shop.get(f"users?{query}")).status_code == 422


async def test_the_wrapper_leaves_tokens_alone(database_url: str) -> None:
    """S15: what OAuth clients read is what RFC 6749 says, and `/users/me` the row itself."""
    settings = Settings(env="test", response_wrapper=True, _env_file=None)  # type: ignore[call-arg]
    app = build(settings, Database(database_url, metadata=Base.metadata))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), Client(transport=transport, base_url=f"{HOST}/api/") as shop:
        made = await shop.post(
            "users", json={"email": "ada@example.com", "username": "ada", "password": PASSWORD, "full_name": None}
        )
        assert made.json()["success"] is True
        tokens = await sign_in(shop, "ada")
        assert (await shop.get("users/me", headers=bearer(tokens))).json()["username"] == "ada"


@pytest.mark.real_hashes
async def test_the_time_of_an_answer_does_not_tell_who_is_there(database_url: str) -> None:
    """S36: a permutation test finds no difference between accounts that are there and those that are not.

    The tries alternate in a random order, so that whatever else this machine does befalls both alike. A hash that was left
    out would differ by all of its time, and be found by a thousandth of this.
    """
    settings = Settings(env="test", login_limit=None, rate_limit=None, _env_file=None)  # type: ignore[call-arg]
    app = build(settings, Database(database_url, metadata=Base.metadata))
    transport = httpx.ASGITransport(app)
    chance = random.Random(1843)
    async with app.router.lifespan_context(app), Client(transport=transport, base_url=f"{HOST}/api/") as shop:
        await new_user(shop)
        probability = await compared(shop, chance)
        if probability < 0.001:  # chance alone does this once in a thousand runs, and twice running once in a million
            probability = await compared(shop, chance)
    assert probability > 0.001


async def compared(shop: Client, chance: random.Random) -> float:
    """Give the probability that two names, one of which has an account, are alike in the time of their answers."""
    taken: dict[str, list[float]] = {"ada": [], "nobody": []}
    for _ in range(25):
        for name in chance.sample(sorted(taken), 2):
            started = time.perf_counter()
            answer = await shop.post("auth/token", data={"username": name, "password": "wrong-1843"})
            taken[name].append(time.perf_counter() - started)
            assert answer.status_code == 401
    return permuted(taken["ada"], taken["nobody"], chance)


def permuted(first: list[float], second: list[float], chance: random.Random) -> float:
    """Give the probability of so large a difference of medians where there is none (Fisher's permutation test)."""
    observed = abs(statistics.median(first) - statistics.median(second))
    together, found, tries = [*first, *second], 0, 2_000
    for _ in range(tries):
        chance.shuffle(together)
        difference = statistics.median(together[: len(first)]) - statistics.median(together[len(first) :])
        found += abs(difference) >= observed
    return (found + 1) / (tries + 1)


def test_the_permutation_test_finds_a_difference() -> None:
    """S36: where one group takes longer by more than its own spread it says so, where none does it does not."""
    chance = random.Random(1843)
    quick = [chance.gauss(25, 2) for _ in range(25)]
    slow = [chance.gauss(50, 2) for _ in range(25)]
    alike = [chance.gauss(25, 2) for _ in range(25)]
    assert permuted(quick, slow, chance) < 0.001
    assert permuted(quick, alike, chance) > 0.001
