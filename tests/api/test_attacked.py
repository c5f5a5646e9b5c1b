"""What an attacker of the reference application found, each as the test that it became."""

from __future__ import annotations

import http.client
import json

import pytest
from httpx import AsyncClient

from colonnade import Database, DeclarationError, Settings, create_app
from colonnade.api.problems import MAX_FAULTS
from tests.library import Base, book_resource, create
from tests.serving import serving
from tests.shop import faults, line, new_product, new_user

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]


async def test_a_body_of_many_wrong_fields_is_answered_shortly(shop: AsyncClient) -> None:
    """Eighty thousand unknown fields are not eighty thousand faults: the loop has others to serve."""
    answer = await shop.post("products", json={f"k{number}": 1 for number in range(80_000)})
    assert answer.status_code == 422
    assert len(faults(answer)) <= MAX_FAULTS
    assert len(answer.content) < 10_000


async def test_an_instance_is_a_reference(shop: AsyncClient) -> None:
    """RFC 9457 §3.1.5: `instance` is a URI reference, percent-encoded, and of a sober length."""
    answer = await shop.get("/nope%0d%0aX")
    assert answer.json()["instance"] == "/api/nope%0D%0AX"
    assert len((await shop.get("/" + "x" * 5_000)).json()["instance"]) <= 1_000


@pytest.mark.parametrize("email", ["Demo <demo2@example.com>", "a" * 240 + "@example.com", "a@", "a b@example.com"])
async def test_an_address_is_a_bare_address(shop: AsyncClient, email: str) -> None:
    """S9: no display name, and a local part of at most 64 (RFC 5321 §4.5.3.1.1)."""
    body = {"email": email, "username": "someone", "password": "analytical-1843", "full_name": "S"}
    answer = await shop.post("users", json=body)
    assert (answer.status_code, [place for place, _ in faults(answer)]) == (422, ["/email"])


async def test_addresses_differ_in_more_than_case(shop: AsyncClient) -> None:
    """S14: unique without regard to case, Greek final sigma included."""
    body = {"username": "one", "password": "analytical-1843", "full_name": "S"}
    assert (await shop.post("users", json={**body, "email": "Σ@example.com"})).status_code == 201
    second = await shop.post("users", json={**body, "username": "two", "email": "ς@example.com"})
    assert (second.status_code, faults(second)) == (409, [("/email", "taken")])


async def test_a_cancelled_order_does_not_overflow_the_stock(shop: AsyncClient) -> None:
    """S77: what does not fit its column is not put back, on SQLite either, which would store it."""
    user, product = await new_user(shop), await new_product(shop, quantity=2**31 - 1)
    order = await create(shop, "orders", user_id=user["id"], lines=[line(product, 1_000)])
    assert (await shop.patch(f"products/{product['id']}", json={"quantity": 2**31 - 1})).status_code == 200
    answer = await shop.patch(f"orders/{order['id']}", json={"status": "cancelled"})
    assert (answer.status_code, faults(answer)) == (409, [("/status", "stock_full")])
    assert (await shop.get(f"products/{product['id']}")).json()["quantity"] == 2**31 - 1


def test_a_refusal_arrives_though_the_connection_closes() -> None:
    """A body of 20 MB on a connection that closes is read to its end, so that the 413 is not lost in a reset."""
    settings = Settings(env="test", _env_file=None)
    app = create_app([book_resource()], database=Database("sqlite://", metadata=Base.metadata), settings=settings)
    with serving(app) as port:
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request("POST", "/api/v1/books", b"x" * 20_000_000, headers)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["code"]) == (413, "CLN120")
            connection.close()


@pytest.mark.parametrize("port", ["99999", "1:2", "x"])
def test_a_malformed_address_is_a_declaration(port: str) -> None:
    """S20: a DATABASE_URL that can't be read is one line, not a traceback."""
    with pytest.raises(DeclarationError, match="DATABASE_URL"):
        Database(f"postgresql://b:p@127.0.0.1:{port}/x")


async def test_the_documentation_can_be_tried_as_it_stands(shop: AsyncClient) -> None:
    """S28: Swagger UI sends every parameter that has a default; together they are a request that is answered."""
    document = (await shop.get("http://shop.test/openapi.json")).json()
    lists = [path for path in document["paths"] if path.endswith(("/users", "/products", "/posts", "/orders"))]
    for path in (path for path in lists if "{" not in path):
        parameters = document["paths"][path]["get"]["parameters"]
        sent = {one["name"]: one["schema"]["default"] for one in parameters if "default" in one.get("schema", {})}
        assert (await shop.get(f"http://shop.test{path}", params=sent)).status_code == 200
    assert lists
