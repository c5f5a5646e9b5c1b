"""Every operation in any sequence, held to plain dicts: rows, totals, versions and deletions agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy.orm import Mapped, mapped_column
from starlette.types import ASGIApp

from colonnade import (
    Base,
    Database,
    IntegerId,
    Listing,
    Resource,
    Routes,
    Settings,
    SoftDelete,
    Versioned,
    create_app,
    unique_among_alive,
    when_parent_deleted,
)
from colonnade.models.base import NAMING_CONVENTION
from tests.property.dict_model import Row, World, holds, ordered


class Mint(Base):
    """The base of these models; their tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Purse(IntegerId, Versioned, SoftDelete, Mint):
    """Holds coins."""

    __tablename__ = "purses"
    __table_args__ = (unique_among_alive("name"),)

    name: Mapped[str] = mapped_column(sa.String(20))


class Coin(IntegerId, Versioned, SoftDelete, Mint):
    """Goes with its purse; two that are there have different names."""

    __tablename__ = "coins"
    __table_args__ = (unique_among_alive("name"),)

    name: Mapped[str] = mapped_column(sa.String(20))
    size: Mapped[int | None]
    note: Mapped[str] = mapped_column(sa.String(20), default="-")
    purse_id: Mapped[int | None] = mapped_column(sa.ForeignKey("purses.id"), info=when_parent_deleted("cascade"))


PLACES = st.integers(0, 12)
"""Which row is meant: counted round through all that ever were, one that never was among them."""

NAMES = st.sampled_from("abcdefg")
CONDITIONS = st.sampled_from(["none", "none", "right", "stale"])
PURSES = st.none() | PLACES
COINS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={"size": st.none() | st.integers(0, 2), "note": st.sampled_from("xy"), "purse_id": PURSES},
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={"name": NAMES, "size": st.none() | st.integers(0, 2), "note": st.sampled_from("xy"), "purse_id": PURSES},
)
LEAVES = st.one_of(
    st.fixed_dictionaries({"size": st.integers(0, 2)}),
    st.fixed_dictionaries({"size__gte": st.integers(0, 2)}),
    st.fixed_dictionaries({"size__isnull": st.booleans()}),
    st.fixed_dictionaries({"name": NAMES, "note": st.sampled_from("xy-")}),
    st.fixed_dictionaries({"name__in": st.lists(NAMES, min_size=1, max_size=4)}),
)
FILTERS = st.one_of(
    LEAVES,
    st.fixed_dictionaries({"or": st.lists(LEAVES, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"not": LEAVES}),
    st.builds(lambda one, two, three: {**one, "or": [two, {"not": three}]}, LEAVES, LEAVES, LEAVES),
)
ORDERS = st.sampled_from(["id", "-id", "size", "-size", "name", "-size,name", "size,-name", "note,size"])
DELETED = st.sampled_from(["hide", "hide", "include", "only"])


class Service:
    """The application under test, asked without a socket, on the event loop that its database belongs to."""

    def __init__(self, runner: asyncio.Runner, database: Database, app: ASGIApp) -> None:
        self.runner, self.database, self.app = runner, database, app

    def ask(
        self, method: str, path: str, body: Any = None, headers: Row | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request, and give status, body and headers."""
        return self.runner.run(self._ask(method, path, body, headers or {}))

    async def _ask(self, method: str, path: str, body: Any, headers: Row) -> tuple[int, Any, dict[str, str]]:
        path, _, query = path.partition("?")
        given = [(b"host", b"mint.test"), *((name.encode(), value.encode()) for name, value in headers.items())]
        sent = b"" if body is None else json.dumps(body).encode()
        given += [(b"content-type", b"application/json")] if body is not None else []
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"}
        scope |= {"path": f"/api/v1/{path}", "raw_path": f"/api/v1/{path}".encode(), "query_string": query.encode()}
        scope |= {
            "root_path": "",
            "headers": given,
            "client": ("127.0.0.1", 1),
            "server": ("mint.test", 80),
            "state": {},
        }
        found: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Any) -> None:
            found.append(message)

        await self.app(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in found[1:])
        answered = {name.decode(): value.decode() for name, value in found[0]["headers"]}
        return found[0]["status"], json.loads(text) if text else None, answered

    def clear(self) -> None:
        """Remove every row; the ids go on."""

        async def run() -> None:
            async with self.database.engine.begin() as connection:
                for table in (Coin.__table__, Purse.__table__):
                    await connection.execute(sa.delete(table))

        self.runner.run(run())


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    """The application, started."""
    routes = Routes(replace=True, permanent_delete=True, upsert=("name",))
    fields = ["id", "name", "size", "note"]
    coins = Resource(Coin, listing=Listing(filters=fields, sorts=fields, deleted=True), routes=routes)
    purses = Resource(Purse, listing=Listing(deleted=True, filters=["id"]), routes=routes)
    database = Database(database_url, metadata=Mint.metadata)
    app = create_app([coins, purses], database=database, settings=Settings(env="test", _env_file=None))  # type: ignore[call-arg]  # pydantic-settings takes it
    with asyncio.Runner() as runner:
        life = app.router.lifespan_context(app)
        runner.run(life.__aenter__())
        yield Service(runner, database, app)
        runner.run(life.__aexit__(None, None, None))


class Machine(RuleBasedStateMachine):
    """Changes the service and the dicts alike."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service
        self.world = World()

    @initialize()
    def begin(self) -> None:
        """Start from two purses."""
        self.service.clear()
        for name in "PQ":
            self.made("purses", {"name": name})

    def place(self, path: str, place: int) -> int:
        """Give the id of a row, or of none."""
        ids = [*sorted(self.world.tables[path]), 999_999]
        return ids[place % len(ids)]

    def placed(self, values: Row) -> Row:
        """Give values with the id of a purse."""
        where = values.get("purse_id")
        return values if where is None else values | {"purse_id": self.place("purses", where)}

    def same(self, path: str, shown: Row, row: Row) -> None:
        """Hold a row that the service shows to the one of the dicts."""
        assert {key: shown[key] for key in row if key != "deleted"} == {k: v for k, v in row.items() if k != "deleted"}
        assert shown["is_deleted"] == (row["deleted"] is not None)

    def made(self, path: str, values: Row) -> None:
        """Create one row."""
        self.world.tick()
        wrong = self.world.attempt(partial(self.world.create, path, values))
        status, body, headers = self.service.ask("POST", path, values)
        assert status == (wrong or 201), body
        if wrong is None:
            self.world.christen(path, [body["id"]])
            self.same(path, body, self.world.tables[path][body["id"]])
            assert (headers["etag"], headers["location"]) == ('"1"', f"/api/v1/{path}/{body['id']}")

    @rule(values=COINS)
    def create(self, values: Row) -> None:
        """POST."""
        self.made("coins", self.placed(values))

    @rule(place=PLACES, values=CHANGES, condition=CONDITIONS, header=st.booleans(), whole=st.booleans(), name=NAMES)
    def change(self, place: int, values: Row, condition: str, *, header: bool, whole: bool, name: str) -> None:
        """PATCH or PUT, with a version or without."""
        id = self.place("coins", place)
        values = self.placed(values | {"name": name} if whole else values)
        row = self.world.tables["coins"].get(id, {"version": 1})
        version = None if condition == "none" else row["version"] + (condition == "stale")
        stored = {"size": None, "note": "-", "purse_id": None} | values if whole else values
        self.world.tick()
        change = partial(self.world.change, "coins", id, stored, version, 412 if header else 409)
        wrong = self.world.attempt(change)
        body = values if version is None or header else values | {"version": version}
        headers = {"if-match": f'"{version}"'} if version is not None and header else {}
        status, shown, _ = self.service.ask("PUT" if whole else "PATCH", f"coins/{id}", body, headers)
        assert status == (wrong or 200), shown
        if wrong is None:
            self.same("coins", shown, self.world.tables["coins"][id])

    @rule(path=st.sampled_from(["coins", "coins", "purses"]), place=PLACES, condition=CONDITIONS)
    def delete(self, path: str, place: int, condition: str) -> None:
        """DELETE, softly."""
        id = self.place(path, place)
        row = self.world.tables[path].get(id, {"version": 1})
        version = None if condition == "none" else row["version"] + (condition == "stale")
        self.world.tick()
        wrong = self.world.attempt(partial(self.world.delete, path, id, version))
        headers = {} if version is None else {"if-match": f'"{version}"'}
        assert self.service.ask("DELETE", f"{path}/{id}", None, headers)[0] == (wrong or 204)

    @rule(path=st.sampled_from(["coins", "coins", "purses"]), place=PLACES)
    def restore(self, path: str, place: int) -> None:
        """POST /restore."""
        id = self.place(path, place)
        wrong = self.world.attempt(partial(self.world.restore, path, id))
        status, shown, _ = self.service.ask("POST", f"{path}/{id}/restore")
        assert status == (wrong or 200), shown
        if wrong is None:
            self.same(path, shown, self.world.tables[path][id])

    @rule(path=st.sampled_from(["coins", "purses"]), place=PLACES)
    def purge(self, path: str, place: int) -> None:
        """DELETE for good."""
        id = self.place(path, place)
        wrong = self.world.attempt(partial(self.world.purge, path, id))
        assert self.service.ask("DELETE", f"{path}/{id}?permanent=true")[0] == (wrong or 204)

    def many(self, changes: list[Any], method: str, path: str, body: Any, done: int) -> list[Row]:
        """Make changes all or none, and give the rows that are shown."""
        self.world.tick()
        wrong = self.world.attempt(*changes)
        status, shown, _ = self.service.ask(method, path, body)
        assert status == (wrong or done), shown
        if wrong is not None:
            return []
        rows: list[Row] = shown.get("coins", [])
        self.world.christen("coins", self.new_ids(rows))
        for row in rows:
            self.same("coins", row, self.world.tables["coins"][row["id"]])
        return rows

    def new_ids(self, rows: list[Row]) -> list[int]:
        """Tell which of the rows the dicts do not know yet."""
        return [row["id"] for row in rows if row["id"] not in self.world.tables["coins"]]

    @rule(items=st.lists(COINS, min_size=1, max_size=4))
    def create_many(self, items: list[Row]) -> None:
        """POST /bulk."""
        items = [self.placed(item) for item in items]
        changes = [partial(self.world.create, "coins", item) for item in items]
        self.many(changes, "POST", "coins/bulk", {"items": items}, 201)

    @rule(items=st.lists(COINS, min_size=1, max_size=4))
    def create_what_can_be(self, items: list[Row]) -> None:
        """POST /bulk, each by itself."""
        items = [self.placed(item) for item in items]
        self.world.tick()
        wrong = [self.world.attempt(partial(self.world.create, "coins", item)) for item in items]
        status, shown, _ = self.service.ask("POST", "coins/bulk?atomic=false", {"items": items})
        assert (status, [result["status"] for result in shown["results"]]) == (207, [one or 201 for one in wrong])
        self.world.christen("coins", [one["body"]["id"] for one in shown["results"] if one["status"] == 201])

    @rule(places=st.lists(PLACES, min_size=1, max_size=4), values=CHANGES)
    def change_many(self, places: list[int], values: Row) -> None:
        """PATCH /bulk by ids."""
        ids, values = list(dict.fromkeys(self.place("coins", place) for place in places)), self.placed(values)
        changes = [partial(self.world.change, "coins", id, values) for id in ids]
        rows = self.many(changes, "PATCH", "coins/bulk", {"ids": ids, "set": values}, 200)
        assert [row["id"] for row in rows] in ([], ids)

    @rule(
        items=st.lists(st.tuples(PLACES, CHANGES, CONDITIONS), min_size=1, max_size=4, unique_by=lambda item: item[0])
    )
    def change_each(self, items: list[tuple[int, Row, str]]) -> None:
        """PATCH /bulk by items, with versions or without."""
        changes, bodies = [], {}
        for place, drawn, condition in items:
            id, values = self.place("coins", place), self.placed(drawn)
            if id in bodies:
                continue
            row = self.world.tables["coins"].get(id, {"version": 1})
            version = None if condition == "none" else row["version"] + (condition == "stale")
            changes.append(partial(self.world.change, "coins", id, values, version, 409))
            bodies[id] = {"id": id, **values} | ({} if version is None else {"version": version})
        self.many(changes, "PATCH", "coins/bulk", {"items": list(bodies.values())}, 200)

    @rule(condition=FILTERS, values=CHANGES, most=st.integers(1, 6))
    def change_found(self, condition: Row, values: Row, most: int) -> None:
        """PATCH /bulk by filter."""
        found, values = [row["id"] for row in self.world.seen("coins") if holds(row, condition)], self.placed(values)
        body = {"filter": condition, "max_affected": most, "set": values}
        if len(found) > most:
            assert self.service.ask("PATCH", "coins/bulk", body)[0] == 409
            return
        self.many([partial(self.world.change, "coins", id, values) for id in found], "PATCH", "coins/bulk", body, 200)

    @rule(path=st.sampled_from(["coins", "purses"]), places=st.lists(PLACES, min_size=1, max_size=3))
    def delete_many(self, path: str, places: list[int]) -> None:
        """POST /bulk-delete by ids."""
        ids = list(dict.fromkeys(self.place(path, place) for place in places))
        changes = [partial(self.world.delete, path, id) for id in ids]
        self.many(changes, "POST", f"{path}/bulk-delete", {"ids": ids}, 200)

    @rule(condition=FILTERS, most=st.integers(1, 6))
    def delete_found(self, condition: Row, most: int) -> None:
        """POST /bulk-delete by filter."""
        found = [row["id"] for row in self.world.seen("coins") if holds(row, condition)]
        body = {"filter": condition, "max_affected": most}
        if len(found) > most:
            assert self.service.ask("POST", "coins/bulk-delete", body)[0] == 409
            return
        changes = [partial(self.world.delete, "coins", id) for id in found]
        self.many(changes, "POST", "coins/bulk-delete", body, 200)

    @rule(items=st.lists(COINS, min_size=1, max_size=4, unique_by=lambda item: item["name"]))
    def upsert(self, items: list[Row]) -> None:
        """PUT /bulk."""
        items = [self.placed(item) for item in items]
        changes = [partial(self.world.upsert, "coins", item) for item in items]
        self.many(changes, "PUT", "coins/bulk", {"items": items}, 200)

    @rule(values=COINS, place=PLACES, change=CHANGES, gone=PLACES, dry=st.booleans())
    def batch(self, values: Row, place: int, change: Row, gone: int, *, dry: bool) -> None:
        """POST /batch: a purse, a coin in it, a change and a deletion, all or none, or as if."""
        changed, deleted = self.place("coins", place), self.place("coins", gone)
        change = self.placed(change)
        self.world.tick()
        world = self.world

        def put_in() -> None:
            world.create("coins", values | {"purse_id": world.create("purses", {"name": "N"})["id"]})

        before = {path: {id: dict(row) for id, row in rows.items()} for path, rows in world.tables.items()}
        steps = (put_in, partial(world.change, "coins", changed, change), partial(world.delete, "coins", deleted))
        wrong = world.attempt(*steps)
        operations = [
            {"id": "p", "method": "POST", "path": "/api/v1/purses", "body": {"name": "N"}},
            {"id": "c", "method": "POST", "path": "/api/v1/coins", "body": values | {"purse_id": {"$ref": "p.id"}}},
            {"id": "a", "method": "PATCH", "path": f"/api/v1/coins/{changed}", "body": change},
            {"id": "d", "method": "DELETE", "path": f"/api/v1/coins/{deleted}"},
        ]
        status, shown, _ = self.service.ask("POST", "batch", {"operations": operations, "dry_run": dry})
        assert status == (wrong or 200), shown
        if dry and wrong is None:
            world.tables = before
            world.made.clear()
        elif wrong is None:
            purse, coin = (result["body"]["id"] for result in shown["results"][:2])
            rows = world.tables
            rows["purses"][purse] = rows["purses"].pop(-1) | {"id": purse}
            rows["coins"][coin] = rows["coins"].pop(-2) | {"id": coin, "purse_id": purse}
            world.made.clear()

    @rule(place=PLACES, deleted=DELETED)
    def get(self, place: int, deleted: str) -> None:
        """GET one row, and again if it has changed."""
        id = self.place("coins", place)
        query = "" if deleted == "hide" else f"?deleted={deleted}"
        status, shown, headers = self.service.ask("GET", f"coins/{id}{query}")
        row = next((row for row in self.world.seen("coins", deleted) if row["id"] == id), None)
        assert status == (404 if row is None else 200)
        if row is not None:
            self.same("coins", shown, row)
            assert headers["etag"] == f'"{row["version"]}"'
            again = self.service.ask("GET", f"coins/{id}{query}", None, {"if-none-match": headers["etag"]})
            assert again[0] == 304

    @rule(condition=FILTERS, sort=ORDERS, deleted=DELETED, page=st.integers(1, 3), size=st.integers(1, 4))
    def list(self, condition: Row, sort: str, deleted: str, page: int, size: int) -> None:
        """GET a page with its total, and walk through all of it."""
        wanted = ordered([row for row in self.world.seen("coins", deleted) if holds(row, condition)], sort)
        asked = {"filter": json.dumps(condition), "sort": sort} | ({} if deleted == "hide" else {"deleted": deleted})
        question = urlencode(asked)
        _, shown, _ = self.service.ask("GET", f"coins?{question}&page={page}&page_size={size}")
        assert shown["total"] == len(wanted)
        part = wanted[(page - 1) * size : page * size]
        assert [row["id"] for row in shown["coins"]] == [row["id"] for row in part]
        for one, row in zip(shown["coins"], part, strict=True):
            self.same("coins", one, row)
        met: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            _, step, _ = self.service.ask("GET", f"coins?{question}&limit={3 * size}&cursor={cursor}")
            met += [row["id"] for row in step["coins"]]
            cursor = step["next_cursor"]
        assert met == [row["id"] for row in wanted]

    def teardown(self) -> None:
        """All of both tables is as the dicts have it."""
        for path in ("coins", "purses"):
            _, shown, _ = self.service.ask("GET", f"{path}?deleted=include&limit=100")
            assert [row["id"] for row in shown[path]] == sorted(self.world.tables[path])
            for row in shown[path]:
                self.same(path, row, self.world.tables[path][row["id"]])


def test_every_operation_agrees_with_a_dict(service: Service, database_url: str) -> None:
    """S13, S52, S70 to S74: whatever is done in whatever sequence, the service is as plain dicts would be."""
    many = database_url == "sqlite://"
    steps = settings(
        max_examples=200 if many else 10,
        stateful_step_count=50 if many else 30,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Machine(service), settings=steps)  # type: ignore[no-untyped-call]  # Hypothesis's own
