"""Webhooks: stored with the change, delivered by HTTP, signed, tried again, turned off; and where they never go."""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from starlette.types import Receive, Scope, Send

from colonnade import (
    Base,
    Database,
    ExactDecimal,
    IntegerId,
    Resource,
    Schemas,
    Service,
    Settings,
    SoftDelete,
    Versioned,
    WebhookCreate,
    WebhookMixin,
    WebhookResponse,
    Webhooks,
    WebhookService,
    WebhookUpdate,
    create_app,
    job_table,
    unique_among_alive,
)
from colonnade.jobs import queue
from colonnade.jobs.inspection import list_jobs
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.jobs import JOBS, JobState
from colonnade.webhooks import webhooks as webhooks_module
from colonnade.webhooks.transport import GuardedTransport
from tests.library import client_of, problem
from tests.serving import serving

pytestmark = pytest.mark.anyio

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Stall(Base):
    """The base of this file's models."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


job_table(Stall.metadata)


class Pear(SoftDelete, IntegerId, Versioned, Stall):
    """Something whose changes are told."""

    __tablename__ = "pears"

    __table_args__ = (unique_among_alive("name"),)

    name: Mapped[str] = mapped_column(sa.String(20))
    price: Mapped[Any] = mapped_column(ExactDecimal(10, 2), default=0)


class PearHook(IntegerId, WebhookMixin, Stall):
    """Who is told."""

    __tablename__ = "pear_hooks"


class Published(Service):
    """Publishes each change."""

    publishes = True


class Subscriber:
    """A server that keeps what it is sent, and answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.location = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        self.requests.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        headers = [(b"location", self.location.encode())] if self.location else []
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body"})


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Subscriber, str]]:
    """The subscriber on a real server, and its URL."""
    subscriber = Subscriber()
    with serving(subscriber) as port:
        yield subscriber, f"http://127.0.0.1:{port}/hooks?key=hunter22"


@pytest.fixture
def subscriber(server: tuple[Subscriber, str]) -> Subscriber:
    """The subscriber, which has forgotten everything."""
    server[0].__init__()  # type: ignore[misc]  # as new
    return server[0]


@pytest.fixture
def hook_url(server: tuple[Subscriber, str]) -> str:
    """Where it is."""
    return server[1]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, and not too often."""
    monkeypatch.setattr(queue, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(queue, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(webhooks_module, "RETRIES", 2)
    monkeypatch.setattr(webhooks_module, "MAX_FAILURES", 2)


@asynccontextmanager
async def stall(url: str, **given: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The application, with a worker in it."""
    settings = Settings(**{"env": "test", "jobs": True, "_env_file": None, **given})
    hooks = Webhooks(PearHook, settings)
    schemas = Schemas(create=WebhookCreate, update=WebhookUpdate, response=WebhookResponse)
    resources = [
        Resource(Pear, service=Published()),
        Resource(PearHook, schemas=schemas, service=WebhookService(hooks)),
    ]
    database = Database(url, metadata=Stall.metadata)
    app = create_app(resources, database=database, settings=settings, jobs=hooks.jobs)
    async with app.router.lifespan_context(app), client_of(app) as client:
        if settings.env != "test":
            await database.start(create_tables=True)
        client.app = app  # type: ignore[attr-defined]  # for `settled`
        yield client


async def subscribed(client: httpx.AsyncClient, url: str, *events: str) -> dict[str, Any]:
    """Subscribe."""
    answer = await client.post("pear-hooks", json={"url": url, "events": events or ["*"], "secret": SECRET})
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


async def settled(client: Any) -> list[Any]:
    """Wait until no job is left to do, and give those that were given up."""
    database = client.app.state.database
    async with asyncio.timeout(30):
        while True:
            left = [row["state"] for row in await list_jobs(database)]
            if not {JobState.QUEUED, JobState.RUNNING} & set(left):
                break
            await asyncio.sleep(0.02)
    async with database.session(read_only=True) as session:
        return list(await session.execute(sa.select(JOBS).where(JOBS.c.state == JobState.DEAD)))


async def hook(client: httpx.AsyncClient, id: int) -> dict[str, Any]:
    """Read a subscription."""
    row: dict[str, Any] = (await client.get(f"pear-hooks/{id}")).json()
    return row


async def test_each_change_is_told_as_the_api_shows_it(
    database_url: str, subscriber: Subscriber, hook_url: str
) -> None:
    """S26: created, updated, deleted, restored, with the row as it became at that moment."""
    async with stall(database_url) as client:
        await subscribed(client, hook_url)
        created = await client.post("pears", json={"name": "Conference", "price": 1.5})
        await settled(client)
        path = f"pears/{created.json()['id']}"
        updated = await client.patch(path, json={"price": 2})
        await settled(client)
        await client.delete(path)
        await settled(client)
        restored = await client.post(f"{path}/restore")
        await settled(client)
    told = [json.loads(body) for _, body in subscriber.requests]
    assert [event["type"] for event in told] == [
        f"pears.{done}" for done in ("created", "updated", "deleted", "restored")
    ]
    data = [created.json(), updated.json(), {"id": created.json()["id"]}, restored.json()]
    assert [event["data"] for event in told] == data
    assert b'"price":1.50' in subscriber.requests[0][1]


async def test_each_row_of_a_bulk_is_told(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """S26, S52: one event a row, whether rows are created, changed or deleted together."""
    async with stall(database_url) as client:
        await subscribed(client, hook_url)
        answer = await client.post("pears/bulk", json={"items": [{"name": "One"}, {"name": "Two"}]})
        ids = [row["id"] for row in answer.json()["pears"]]
        await settled(client)
        created = sorted(json.loads(body)["data"]["name"] for _, body in subscriber.requests)
        assert (await client.patch("pears/bulk", json={"ids": ids, "set": {"price": 7}})).status_code == 200
        assert (await client.post("pears/bulk-delete", json={"ids": ids})).status_code == 200
        await settled(client)
    told = sorted((json.loads(body)["type"], json.loads(body)["data"]["id"]) for _, body in subscriber.requests[2:])
    assert created == ["One", "Two"]
    assert told == [(f"pears.{done}", id) for done in ("deleted", "updated") for id in ids]


@pytest.mark.databases("sqlite-memory")
async def test_a_request_is_signed(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """S26: by HMAC-SHA256 over id, time and body, with the subscription's secret (Standard Webhooks)."""
    async with stall(database_url) as client:
        await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Conference"})
        await settled(client)
    ((headers, body),) = subscriber.requests
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.digest(b64decode(SECRET.removeprefix("whsec_")), signed, "sha256")
    assert headers["webhook-signature"] == f"v1,{b64encode(expected).decode()}"
    assert headers["content-type"] == "application/json"


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_only_what_is_wanted_is_sent(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """S26: by subscription: a kind of event, all of a resource, or all; none from one that is turned off."""
    async with stall(database_url) as client:
        for events in (["pears.deleted"], ["pears.*"], ["plums.*", "pears.created"], ["plums.created"]):
            await subscribed(client, hook_url + "&" + events[0], *events)
        off = await subscribed(client, hook_url)
        assert (await client.patch(f"pear-hooks/{off['id']}", json={"is_active": False})).status_code == 200
        await client.post("pears", json={"name": "Conference"})
        await settled(client)
    ids = {headers["webhook-id"] for headers, _ in subscriber.requests}
    assert (len(subscriber.requests), len(ids)) == (2, 1)


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_refused_change_is_told_to_nobody(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """S26: the event is of the change's transaction."""
    async with stall(database_url) as client:
        await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Conference"})
        problem(await client.post("pears", json={"name": "Conference"}), 409)
        problem(await client.patch("pears/4711", json={"name": "x"}), 404)
        await settled(client)
    assert len(subscriber.requests) == 1


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_delivery_is_tried_again_with_the_same_id_and_body(
    database_url: str, subscriber: Subscriber, hook_url: str
) -> None:
    """S26: so that a subscriber can pass over what it has seen."""
    subscriber.status = 500
    async with stall(database_url) as client:
        await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Conference"})
        async with asyncio.timeout(30):
            while not subscriber.requests:
                await asyncio.sleep(0.01)
        subscriber.status = 204
        assert await settled(client) == []
    assert len({(headers["webhook-id"], body) for headers, body in subscriber.requests}) == 1
    assert len(subscriber.requests) == 2


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_subscription_that_fails_again_and_again_is_turned_off(
    database_url: str, subscriber: Subscriber, hook_url: str
) -> None:
    """S26: deliveries that were given up are counted and kept; an administrator turns it on anew."""
    subscriber.status = 500
    async with stall(database_url) as client:
        row = await subscribed(client, hook_url)
        dead: list[Any] = []
        for number in (1, 2):
            await client.post("pears", json={"name": f"Pear {number}"})
            dead = await settled(client)
        assert [one.error.partition(": ")[2] for one in dead] == [f"webhook {row['id']} answered 500"] * 2
        shown = await hook(client, row["id"])
        assert (shown["is_active"], shown["failures"], bool(shown["disabled_at"])) == (False, 2, True)
        sent = len(subscriber.requests)
        await client.post("pears", json={"name": "Pear 3"})
        await settled(client)
        assert len(subscriber.requests) == sent
        answer = await client.patch(f"pear-hooks/{row['id']}", json={"is_active": True})
        assert (answer.json()["failures"], answer.json()["disabled_at"]) == (0, None)


@pytest.mark.databases("sqlite-memory")
async def test_an_answer_that_never_ends_is_a_failure(
    database_url: str, hook_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S26: a subscriber that sends a byte now and then outlasts each step's time, and is turned off all the same."""

    async def drip(*_: object) -> int:
        await asyncio.Event().wait()
        return 204

    monkeypatch.setattr(Webhooks, "_post", drip)
    monkeypatch.setattr(webhooks_module, "DEADLINE", 0.01)
    async with stall(database_url) as client:
        id = (await subscribed(client, hook_url))["id"]
        for number in range(2):
            await client.post("pears", json={"name": str(number)})
            await settled(client)
        assert not (await hook(client, id))["is_active"]


@pytest.mark.databases("sqlite-memory")
async def test_a_success_forgets_the_failures(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """Only deliveries given up in a row count."""
    subscriber.status = 500
    async with stall(database_url) as client:
        row = await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Pear 1"})
        await settled(client)
        assert (await hook(client, row["id"]))["failures"] == 1
        subscriber.status = 200
        await client.post("pears", json={"name": "Pear 2"})
        await settled(client)
        assert (await hook(client, row["id"]))["failures"] == 0


@pytest.mark.databases("sqlite-memory")
async def test_gone_is_taken_at_its_word(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """410 turns a subscription off at once, and is not tried again."""
    subscriber.status = 410
    async with stall(database_url) as client:
        row = await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Conference"})
        assert await settled(client) == []
        assert not (await hook(client, row["id"]))["is_active"]
    assert len(subscriber.requests) == 1


@pytest.mark.databases("sqlite-memory")
async def test_a_redirect_is_not_followed(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """It would lead where the subscription does not say."""
    subscriber.status, subscriber.location = 302, "/elsewhere"
    async with stall(database_url) as client:
        await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Conference"})
        (dead,) = await settled(client)
    assert dead.error.endswith("answered 302")
    assert len(subscriber.requests) == 3


PRODUCTION = {"env": "production", "secret_key": "k" * 32, "database_url": "sqlite:///unused.db", "api_prefix": "/api"}


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254", "10.0.0.1"])
async def test_production_asks_no_private_address(database_url: str, subscriber: Subscriber, host: str) -> None:
    """S26: whatever a name or a number resolves to, what is not on the open internet is not asked (SSRF)."""
    async with stall(database_url, **PRODUCTION) as client:
        await subscribed(client, f"https://{host}/hooks?key=hunter22")
        await client.post("pears", json={"name": "Conference"})
        (dead,) = await settled(client)
    assert "not public" in dead.error
    assert "hunter22" not in dead.error
    assert subscriber.requests == []


@pytest.mark.databases("sqlite-memory")
async def test_networks_that_are_allowed_are_asked(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """S26: WEBHOOK_NETWORKS lets a subscriber behind the same firewall in, without TLS too."""
    async with stall(database_url, **PRODUCTION, webhook_networks="127.0.0.0/8") as client:
        await subscribed(client, hook_url)
        await client.post("pears", json={"name": "Conference"})
        assert await settled(client) == []
    assert len(subscriber.requests) == 1


@pytest.mark.databases("sqlite-memory")
async def test_the_name_is_resolved_once(
    database_url: str, subscriber: Subscriber, hook_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S26: the connection goes to the address that was judged; a second answer of the name server is not asked for."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(GuardedTransport, "_look_up", staticmethod(resolve))
    async with stall(database_url) as client:
        await subscribed(client, hook_url.replace("127.0.0.1", "pears.test"))
        await client.post("pears", json={"name": "Conference"})
        assert await settled(client) == []
    assert (asked, subscriber.requests[0][0]["host"].partition(":")[0]) == (["pears.test"], "pears.test")


@pytest.mark.databases("sqlite-memory")
async def test_the_secret_is_never_shown(database_url: str, subscriber: Subscriber, hook_url: str) -> None:
    """S26: no route answers it; it may be replaced."""
    async with stall(database_url) as client:
        row = await subscribed(client, hook_url)
        assert (await client.patch(f"pear-hooks/{row['id']}", json={"secret": SECRET + "AAAA"})).status_code == 200
        for path in ("pear-hooks", f"pear-hooks/{row['id']}"):
            answer = await client.get(path)
            assert "whsec" not in answer.text
            assert "secret" not in answer.text


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://example.com"), ("url", "/hooks"), ("url", "https://"), ("url", "https://me:pw@example.com/"),
        ("url", "https://example.com/#x"), ("url", "https://exa mple.com"), ("url", "https://[::1"), ("url", "x" * 2001),
        ("events", []), ("events", ["pears"]), ("events", ["pears.eaten"]), ("events", "*"), ("events", ["*"] * 101),
        ("secret", "hunter22"), ("secret", "whsec_AAAA"), ("secret", "whsec_" + "!" * 32), ("secret", None),
    ],
)  # fmt: skip
async def test_a_subscription_that_cannot_work_is_refused(database_url: str, field: str, value: object) -> None:
    """422, naming the field, and not repeating a secret."""
    async with stall(database_url) as client:
        body = {"url": "https://example.com/", "events": ["*"], "secret": SECRET, field: value}
        answer = await client.post("pear-hooks", json=body)
        assert f"/{field}" in [fault["pointer"][: len(field) + 1] for fault in problem(answer, 422)["errors"]]
        assert "hunter22" not in answer.text


@pytest.mark.databases("sqlite-memory")
async def test_production_wants_tls(database_url: str) -> None:
    """S26: a URL without it is refused when it is given."""
    async with stall(database_url, **PRODUCTION) as client:
        body = {"url": "http://example.com/", "events": ["*"], "secret": SECRET}
        (fault,) = problem(await client.post("pear-hooks", json=body), 422)["errors"]
        assert (fault["pointer"], fault["code"]) == ("/url", "https_required")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("::", False),
        ("fe80::1", False), ("fc00::1", False), ("fec0::1", False), ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", False), ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("ff02::1", False),
        ("::7f00:1", False), ("::a00:1", False), ("4000::1", False),
    ],
)  # fmt: skip
def test_what_a_public_address_is(address: str, expected: bool) -> None:
    """S26: nothing private, local, shared, reserved, multicast, or an IPv4 address in disguise."""
    from ipaddress import ip_address

    from colonnade.webhooks.transport import is_public

    assert is_public(ip_address(address)) is expected
