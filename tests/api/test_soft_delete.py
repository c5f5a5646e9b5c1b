"""Soft deletion: hidden everywhere, restored, purged, its unique values free; on every database and on both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import (
    Base,
    Change,
    Database,
    IntegerId,
    Listing,
    Resource,
    Routes,
    Service,
    Settings,
    SoftDelete,
    Timestamps,
    Versioned,
    create_app,
    unique_among_alive,
    when_parent_deleted,
)
from colonnade.models.base import NAMING_CONVENTION
from tests.library import client_of, create, places, problem

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


class Shore(Base):
    """The base of these models; their tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Captain(IntegerId, Timestamps, Versioned, SoftDelete, Shore):
    """Commands ships; two alive ones never share a name."""

    __tablename__ = "captains"
    __table_args__ = (unique_among_alive("name"),)

    name: Mapped[str] = mapped_column(sa.String(50))
    rank: Mapped[int] = mapped_column(default=1)

    ships: Mapped[list[Ship]] = relationship(lazy="raise", order_by="Ship.id", passive_deletes=True)


class Ship(IntegerId, Versioned, SoftDelete, Shore):
    """Goes with its captain."""

    __tablename__ = "ships"
    __table_args__ = (unique_among_alive("name"),)

    name: Mapped[str] = mapped_column(sa.String(50))
    captain_id: Mapped[int] = mapped_column(
        sa.ForeignKey("captains.id", ondelete="CASCADE"), info=when_parent_deleted("cascade")
    )

    captain: Mapped[Captain] = relationship(lazy="raise", viewonly=True)


class Boat(IntegerId, SoftDelete, Shore):
    """Goes with its ship; counts no versions."""

    __tablename__ = "boats"

    name: Mapped[str] = mapped_column(sa.String(50))
    ship_id: Mapped[int] = mapped_column(
        sa.ForeignKey("ships.id", ondelete="CASCADE"), info=when_parent_deleted("cascade")
    )


class Debt(IntegerId, Shore):
    """Keeps its captain from going."""

    __tablename__ = "debts"

    captain_id: Mapped[int] = mapped_column(sa.ForeignKey("captains.id"), info=when_parent_deleted("refuse"))


class Song(IntegerId, Shore):
    """Of a captain, and there whatever becomes of it."""

    __tablename__ = "songs"

    captain_id: Mapped[int] = mapped_column(sa.ForeignKey("captains.id"))

    captain: Mapped[Captain] = relationship(lazy="raise", viewonly=True)


class Brief(BaseModel):
    """What is shown of a row beside another."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class Looking(Service):
    """Sends reads and changes the ORM's way, and looks for captains by itself."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Look at nothing."""

    async def look(self, change: Change) -> None:
        """Note the captains that a plain statement finds."""
        self.seen.append([name for (name,) in await change.session.execute(sa.select(Captain.name))])

    async def before_update(self, change: Change) -> None:
        """Look."""
        await self.look(change)

    async def after_delete(self, change: Change) -> None:
        """Look."""
        await self.look(change)

    async def after_restore(self, change: Change) -> None:
        """Look."""
        await self.look(change)


@pytest.fixture(params=[Service, Looking], ids=["compiled", "orm"])
def service(request: pytest.FixtureRequest) -> Service:
    """A service that sends everything one way or the other."""
    made: Service = request.param()
    return made


@pytest.fixture
async def client(database_url: str, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of all of them."""
    routes = Routes(permanent_delete=True, replace=True)
    ships = Resource(Ship, listing=Listing(deleted=True, includes={"captain": Brief}), service=service, routes=routes)
    resources = [
        Resource(
            Captain,
            listing=Listing(deleted=True, filters=["name", "rank"], sorts=["name"], includes={"ships": Brief}),
            service=service,
            routes=Routes(permanent_delete=True, replace=True, parts={"ships": (ships, "captain_id")}),
        ),
        ships,
        Resource(Boat, listing=Listing(deleted=True), service=service, routes=routes),
        Resource(Debt),
        Resource(Song, listing=Listing(filters=["captain.name"], includes={"captain": Brief})),
    ]
    database = Database(database_url, metadata=Shore.metadata)
    app = create_app(resources, database=database, settings=Settings(env="test", _env_file=None))
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def names(client: httpx.AsyncClient, path: str) -> tuple[list[str], int]:
    """Give the names and the total of a list."""
    body = (await client.get(path)).json()
    (rows,) = [value for value in body.values() if isinstance(value, list)]
    return [row["name"] for row in rows], body["total"]


async def delete(client: httpx.AsyncClient, path: str) -> None:
    """Delete a row."""
    answer = await client.delete(path)
    assert (answer.status_code, answer.content) == (204, b""), answer.text


async def test_a_deleted_row_is_hidden(client: httpx.AsyncClient) -> None:
    """S74: it is in no list, no total and no filter, and 404 to every method, the second deletion included."""
    ahab, hook = await create(client, "captains", name="Ahab"), await create(client, "captains", name="Hook")
    assert (ahab["is_deleted"], ahab["deleted_at"]) == (False, None)
    assert "alive" not in ahab
    path = f"captains/{ahab['id']}"
    await delete(client, path)
    assert await names(client, "captains") == (["Hook"], 1)
    assert await names(client, "captains?name=Ahab") == ([], 0)
    assert await names(client, "captains?rank=1&skip=0&limit=1") == (["Hook"], 1)
    problem(await client.get(path), 404)
    problem(await client.patch(path, json={"rank": 2}), 404)
    problem(await client.patch(path, json={}), 404)
    problem(await client.put(path, json={"name": "Other"}), 404)
    problem(await client.delete(path), 404)
    problem(await client.get(f"{path}/ships"), 404)
    assert (await client.get(f"captains/{hook['id']}")).json() == hook


async def test_a_hook_does_not_see_it(client: httpx.AsyncClient, service: Service) -> None:
    """S74: a plain statement in a service's hook finds only who is not deleted."""
    ahab, hook = await create(client, "captains", name="Ahab"), await create(client, "captains", name="Hook")
    await delete(client, f"captains/{ahab['id']}")
    await client.patch(f"captains/{hook['id']}", json={"rank": 2})
    await client.post(f"captains/{ahab['id']}/restore")
    if isinstance(service, Looking):
        assert [sorted(seen) for seen in service.seen] == [["Hook"], ["Hook"], ["Ahab", "Hook"]]


async def test_deleted_rows_are_shown_on_request(client: httpx.AsyncClient) -> None:
    """S74: `deleted=include` and `deleted=only`, in lists and of one row, with a strong tag."""
    ahab = await create(client, "captains", name="Ahab")
    await create(client, "captains", name="Hook")
    await delete(client, f"captains/{ahab['id']}")
    assert await names(client, "captains?deleted=include&sort=name") == (["Ahab", "Hook"], 2)
    assert await names(client, "captains?deleted=only") == (["Ahab"], 1)
    answer = await client.get(f"captains/{ahab['id']}?deleted=only")
    found = answer.json()
    assert (found["is_deleted"], found["version"], answer.headers["etag"]) == (True, 2, '"2"')
    assert found["deleted_at"] == found["updated_at"] > ahab["updated_at"]
    problem(await client.get("captains/2?deleted=only"), 404)
    assert (await client.get("captains/2?deleted=include")).status_code == 200


async def test_what_is_shown_beside_a_row_is_hidden_too(client: httpx.AsyncClient) -> None:
    """S74, S31: a to-one relation is null, a to-many list leaves it out, and a part list does."""
    ahab = await create(client, "captains", name="Ahab")
    pequod = await create(client, "ships", name="Pequod", captain_id=ahab["id"])
    rachel = await create(client, "ships", name="Rachel", captain_id=ahab["id"])
    song = await create(client, "songs", captain_id=ahab["id"])
    await delete(client, f"ships/{pequod['id']}")
    shown = (await client.get(f"captains/{ahab['id']}?include=ships")).json()
    assert shown["ships"] == [{"id": rachel["id"], "name": "Rachel"}]
    assert await names(client, f"captains/{ahab['id']}/ships") == (["Rachel"], 1)
    await delete(client, f"captains/{ahab['id']}")
    assert (await client.get(f"songs/{song['id']}?include=captain")).json()["captain"] is None
    assert (await client.get("ships?deleted=only&include=captain")).json()["ships"][0]["captain"] is None
    shown = (await client.get(f"captains/{ahab['id']}?include=ships&deleted=include")).json()
    assert shown["ships"] == []


async def test_a_deleted_rows_unique_values_are_free(client: httpx.AsyncClient) -> None:
    """S74: the name may be taken again and again, and only one of those who have it may be alive."""
    for _ in range(3):
        ahab = await create(client, "captains", name="Ahab")
        assert places(await client.post("captains", json={"name": "Ahab"}), 409) == ["/name"]
        await delete(client, f"captains/{ahab['id']}")
    last = await create(client, "captains", name="Ahab")
    assert places(await client.post(f"captains/{ahab['id']}/restore"), 409) == ["/name"]
    assert await names(client, "captains?deleted=include") == (["Ahab"] * 4, 4)
    await delete(client, f"captains/{last['id']}")
    assert (await client.post(f"captains/{ahab['id']}/restore")).status_code == 200


async def test_a_row_is_restored(client: httpx.AsyncClient) -> None:
    """S74: 200 with the row as it was, its version two more; 404 for one that is not deleted or not there."""
    ahab = await create(client, "captains", name="Ahab")
    path = f"captains/{ahab['id']}"
    problem(await client.post(f"{path}/restore"), 404)
    problem(await client.post("captains/9/restore"), 404)
    await delete(client, path)
    answer = await client.post(f"{path}/restore")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')
    assert {key for key in ahab if answer.json()[key] != ahab[key]} == {"version", "updated_at"}
    assert (await client.get(path)).json() == answer.json()
    problem(await client.post(f"{path}/restore"), 404)


@pytest.mark.parametrize("path", ["captains", "boats"])
async def test_deletion_and_restoring_are_held_to_a_precondition(client: httpx.AsyncClient, path: str) -> None:
    """S73, S74: If-Match is compared with the row as it is, deleted or not, with a version or without."""
    ahab = await create(client, "captains", name="Ahab")
    pequod = await create(client, "ships", name="Pequod", captain_id=ahab["id"])
    row = ahab if path == "captains" else await create(client, "boats", name="One", ship_id=pequod["id"])
    place = f"{path}/{row['id']}"
    alive = (await client.get(place)).headers["etag"]
    problem(await client.delete(place, headers={"if-match": '"99"'}), 412)
    assert (await client.delete(place, headers={"if-match": alive})).status_code == 204
    problem(await client.post(f"{place}/restore", headers={"if-match": alive}), 412)
    dead = (await client.get(f"{place}?deleted=only")).headers["etag"]
    assert dead != alive
    problem(await client.delete(f"{place}?permanent=true", headers={"if-match": alive}), 412)
    assert (await client.post(f"{place}/restore", headers={"if-match": dead})).status_code == 200
    problem(await client.post("captains/9/restore", headers={"if-match": dead}), 404)


async def test_a_row_is_deleted_for_good(client: httpx.AsyncClient) -> None:
    """S74: `permanent=true` removes a row, deleted softly or not, and then nothing shows it."""
    ahab, hook = await create(client, "captains", name="Ahab"), await create(client, "captains", name="Hook")
    await delete(client, f"captains/{ahab['id']}?permanent=false")
    assert await names(client, "captains?deleted=only") == (["Ahab"], 1)
    await delete(client, f"captains/{ahab['id']}?permanent=true")
    await delete(client, f"captains/{hook['id']}?permanent=true")
    assert await names(client, "captains?deleted=include") == ([], 0)
    problem(await client.delete(f"captains/{hook['id']}?permanent=true"), 404)
    problem(await client.post(f"captains/{hook['id']}/restore"), 404)


async def test_children_go_and_come_with_their_parent(client: httpx.AsyncClient) -> None:
    """S74, S75: what cascades goes too, at any depth, and comes back; what was deleted before by itself stays so."""
    ahab = await create(client, "captains", name="Ahab")
    pequod = await create(client, "ships", name="Pequod", captain_id=ahab["id"])
    rachel = await create(client, "ships", name="Rachel", captain_id=ahab["id"])
    for name, ship in (("One", pequod), ("Two", rachel), ("Three", pequod)):
        await create(client, "boats", name=name, ship_id=ship["id"])
    await delete(client, "boats/3")
    await delete(client, f"ships/{rachel['id']}")
    await delete(client, f"captains/{ahab['id']}")
    assert await names(client, "ships") == ([], 0)
    assert await names(client, "boats") == ([], 0)
    assert (await client.post(f"captains/{ahab['id']}/restore")).status_code == 200
    assert await names(client, "ships") == (["Pequod"], 1)
    assert await names(client, "boats") == (["One"], 1)
    assert (await client.get(f"ships/{pequod['id']}")).json()["version"] == 3
    assert (await client.post(f"ships/{rachel['id']}/restore")).status_code == 200
    assert await names(client, "boats") == (["One", "Two"], 2)


async def test_a_childs_taken_value_keeps_its_parent_deleted(client: httpx.AsyncClient) -> None:
    """S74, S76: when a child's unique value was taken since, nothing at all is restored."""
    ahab, hook = await create(client, "captains", name="Ahab"), await create(client, "captains", name="Hook")
    await create(client, "ships", name="Pequod", captain_id=ahab["id"])
    await delete(client, f"captains/{ahab['id']}")
    await create(client, "ships", name="Pequod", captain_id=hook["id"])
    problem(await client.post(f"captains/{ahab['id']}/restore"), 409)
    problem(await client.get(f"captains/{ahab['id']}"), 404)


async def test_a_child_may_refuse(client: httpx.AsyncClient) -> None:
    """S74: 409 as long as it is there, and neither the parent nor its other children go."""
    ahab = await create(client, "captains", name="Ahab")
    await create(client, "ships", name="Pequod", captain_id=ahab["id"])
    debt = await create(client, "debts", captain_id=ahab["id"])
    problem(await client.delete(f"captains/{ahab['id']}"), 409)
    assert await names(client, "ships") == (["Pequod"], 1)
    await delete(client, f"debts/{debt['id']}")
    await delete(client, f"captains/{ahab['id']}")


async def test_a_child_may_stay(client: httpx.AsyncClient) -> None:
    """S74: without a rule a child is kept."""
    ahab = await create(client, "captains", name="Ahab")
    song = await create(client, "songs", captain_id=ahab["id"])
    await delete(client, f"captains/{ahab['id']}")
    assert (await client.get(f"songs/{song['id']}")).json() == song


async def test_bulk_changes_keep_to_what_is_seen(client: httpx.AsyncClient) -> None:
    """S52, S72, S74: a bulk deletion is soft, and a bulk change finds no deleted row, by id or by filter."""
    for name in ("Ahab", "Hook", "Nemo"):
        await create(client, "captains", name=name)
    answer = await client.post("captains/bulk-delete", json={"ids": [1, 2]})
    assert (answer.status_code, answer.json()["affected"]) == (200, 2)
    assert await names(client, "captains?deleted=only&sort=name") == (["Ahab", "Hook"], 2)
    problem(await client.patch("captains/bulk", json={"ids": [1, 3], "set": {"rank": 2}}), 404)
    answer = await client.patch("captains/bulk", json={"filter": {"rank": 1}, "max_affected": 5, "set": {"rank": 2}})
    assert [row["name"] for row in answer.json()["captains"]] == ["Nemo"]
    assert (await client.post("captains/1/restore")).json()["rank"] == 1


async def test_a_filter_through_a_relation_finds_no_deleted_row(client: httpx.AsyncClient) -> None:
    """S74, S80: a row is not found by what its deleted parent was."""
    ahab = await create(client, "captains", name="Ahab")
    await create(client, "songs", captain_id=ahab["id"])
    assert (await client.get("songs?captain.name=Ahab")).json()["total"] == 1
    await delete(client, f"captains/{ahab['id']}")
    assert (await client.get("songs?captain.name=Ahab")).json()["total"] == 0


@pytest.mark.databases("sqlite-memory")
async def test_what_a_resource_does_not_allow_is_unknown(database_url: str) -> None:
    """S74: `deleted`, `permanent` and `restore` are there only where the resource has them."""
    database = Database(database_url, metadata=Shore.metadata)
    settings = Settings(env="test", _env_file=None)
    app = create_app([Resource(Captain), Resource(Debt)], database=database, settings=settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        await create(client, "captains", name="Ahab")
        assert places(await client.get("captains?deleted=include"), 422) == ["deleted"]
        assert places(await client.get("captains/1?deleted=only"), 422) == ["deleted"]
        assert places(await client.delete("captains/1?permanent=true"), 422) == ["permanent"]
        assert places(await client.post("captains", json={"name": "Hook", "is_deleted": True}), 422) == ["/is_deleted"]
        problem(await client.post("debts/1/restore"), 404)


@pytest.mark.parametrize("query", ["deleted=", "deleted=hide", "deleted=all", "deleted=only&deleted=only"])
@pytest.mark.databases("sqlite-memory")
async def test_a_wrong_choice_is_refused(client: httpx.AsyncClient, query: str) -> None:
    """S74: 422 at the parameter."""
    assert places(await client.get(f"captains?{query}"), 422) == ["deleted"]
    assert places(await client.delete("captains/1?permanent=yes"), 422) == ["permanent"]
