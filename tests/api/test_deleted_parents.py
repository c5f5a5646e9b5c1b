"""A row never names a parent that is deleted softly: not when it is made, changed or restored, not at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

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
    create_app,
    when_parent_deleted,
)
from colonnade.models.base import NAMING_CONVENTION
from tests.library import client_of, create, places, problem

pytestmark = pytest.mark.anyio

ROUNDS = 12
SETTINGS = Settings(env="test", _env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it


class Woods(Base):
    """The base of these models; their tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Tree(IntegerId, SoftDelete, Woods):
    """Has branches, nests and, perhaps, a tree that it grew from."""

    __tablename__ = "trees"

    name: Mapped[str] = mapped_column(sa.String(20), default="oak")
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("trees.id"))


class Bough(IntegerId, SoftDelete, Woods):
    """Goes with its tree."""

    __tablename__ = "boughs"

    tree_id: Mapped[int] = mapped_column(sa.ForeignKey("trees.id"), info=when_parent_deleted("cascade"))


class Leaf(IntegerId, SoftDelete, Woods):
    """Goes with its bough."""

    __tablename__ = "leaves"

    bough_id: Mapped[int] = mapped_column(sa.ForeignKey("boughs.id"), info=when_parent_deleted("cascade"))


class Vine(IntegerId, SoftDelete, Woods):
    """Goes with its tree, and with the bough that it hangs on, which may be another tree's."""

    __tablename__ = "vines"

    tree_id: Mapped[int] = mapped_column(sa.ForeignKey("trees.id"), info=when_parent_deleted("cascade"))
    bough_id: Mapped[int | None] = mapped_column(sa.ForeignKey("boughs.id"), info=when_parent_deleted("cascade"))
    found_on_id: Mapped[int | None] = mapped_column(sa.ForeignKey("trees.id"), info=when_parent_deleted("keep"))
    next_id: Mapped[int | None] = mapped_column(sa.ForeignKey("vines.id"))


class Nest(IntegerId, Woods):
    """Keeps its bough, and the tree of that, from going."""

    __tablename__ = "nests"

    bough_id: Mapped[int] = mapped_column(sa.ForeignKey("boughs.id"), info=when_parent_deleted("refuse"))


class Label(IntegerId, Woods):
    """Is there whatever becomes of its tree, and may hang on none."""

    __tablename__ = "labels"

    tree_id: Mapped[int | None] = mapped_column(sa.ForeignKey("trees.id"))
    text: Mapped[str] = mapped_column(sa.String(20), default="")


class Hooked(Service):
    """Sends changes the ORM's way."""

    async def before_create(self, change: Change) -> None:
        """Change nothing."""

    async def before_update(self, change: Change) -> None:
        """Change nothing."""


@pytest.fixture(params=[Service, Hooked], ids=["compiled", "hooked"])
async def client(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """A client of all of them."""
    service, listing = request.param(), Listing(deleted=True)
    resources = [Resource(model, listing=listing, service=service) for model in (Tree, Bough, Leaf, Vine)]
    resources.append(Resource(Nest, service=service))
    resources.append(Resource(Label, service=service, routes=Routes(replace=True)))
    app = create_app(resources, database=Database(database_url, metadata=Woods.metadata), settings=SETTINGS)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def new(client: httpx.AsyncClient, path: str, **values: Any) -> int:
    """Make a row and give its id."""
    id: int = (await create(client, path, **values))["id"]
    return id


async def test_a_new_row_may_not_name_a_deleted_parent(client: httpx.AsyncClient) -> None:
    """S74: 409 at the field, like a reference to nothing; a restored parent may be named again, and none at all too."""
    tree = await new(client, "trees")
    await client.delete(f"trees/{tree}")
    for id in (tree, 99):
        assert places(await client.post("boughs", json={"tree_id": id}), 409) == ["/tree_id"]
        assert places(await client.post("labels", json={"tree_id": id}), 409) == ["/tree_id"]
        assert places(await client.post("trees", json={"parent_id": id}), 409) == ["/parent_id"]
    await new(client, "labels", tree_id=None)
    await client.post(f"trees/{tree}/restore")
    assert await new(client, "trees", parent_id=tree) != tree
    await new(client, "boughs", tree_id=tree)


async def test_a_changed_row_may_not_name_a_deleted_parent(client: httpx.AsyncClient) -> None:
    """S74: 409 for a foreign key that changes, by PATCH and by PUT; 404 and other changes are what they were."""
    old, young = await new(client, "trees"), await new(client, "trees")
    label = await new(client, "labels", tree_id=old)
    await client.delete(f"trees/{young}")
    assert places(await client.patch(f"labels/{label}", json={"tree_id": young}), 409) == ["/tree_id"]
    assert places(await client.put(f"labels/{label}", json={"tree_id": young, "text": ""}), 409) == ["/tree_id"]
    assert places(await client.patch(f"trees/{old}", json={"parent_id": young}), 409) == ["/parent_id"]
    problem(await client.patch("labels/99", json={"tree_id": young}), 404)
    assert (await client.get(f"labels/{label}")).json()["tree_id"] == old
    await client.delete(f"trees/{old}")
    assert (await client.patch(f"labels/{label}", json={"text": "here stood an oak"})).status_code == 200
    assert (await client.patch(f"labels/{label}", json={"tree_id": None})).json()["tree_id"] is None


async def test_neither_may_many_rows(client: httpx.AsyncClient) -> None:
    """S52, S74: a bulk change tells which item it was and stores nothing; a batch likewise."""
    tree, gone = await new(client, "trees"), await new(client, "trees")
    await client.delete(f"trees/{gone}")
    items = [{"tree_id": tree}, {"tree_id": None}, {"tree_id": gone}]
    assert places(await client.post("labels/bulk", json={"items": items}), 409) == ["/items/2/tree_id"]
    answer = await client.post("labels/bulk?atomic=false", json={"items": items})
    assert [result["status"] for result in answer.json()["results"]] == [201, 201, 409]
    ids = [row["id"] for row in (await client.get("labels")).json()["labels"]]
    answer = await client.patch("labels/bulk", json={"ids": ids, "set": {"tree_id": gone}})
    assert places(answer, 409) == ["/ids/0/tree_id"]
    changes = [{"id": ids[0], "text": "a"}, {"id": ids[1], "tree_id": gone}]
    assert places(await client.patch("labels/bulk", json={"items": changes}), 409) == ["/items/1/tree_id"]
    assert (await client.post("labels/bulk", json={"items": items[:2]})).status_code == 201
    operation = {"id": "one", "method": "POST", "path": "/api/v1/labels", "body": {"tree_id": gone}}
    problem(await client.post("batch", json={"operations": [operation]}), 409)
    assert (await client.get("labels")).json()["total"] == 4


async def test_a_restored_row_may_not_name_a_deleted_parent(client: httpx.AsyncClient) -> None:
    """S74: 409 at the field, whether the row has children of its own or none; once the parent is back it may come."""
    tree = await new(client, "trees")
    bough = await new(client, "boughs", tree_id=tree)
    leaf = await new(client, "leaves", bough_id=bough)
    young = await new(client, "trees", parent_id=tree)
    for path in (f"leaves/{leaf}", f"boughs/{bough}", f"trees/{young}", f"trees/{tree}"):
        assert (await client.delete(path)).status_code == 204
    assert places(await client.post(f"leaves/{leaf}/restore"), 409) == ["/bough_id"]
    assert places(await client.post(f"boughs/{bough}/restore"), 409) == ["/tree_id"]
    assert places(await client.post(f"trees/{young}/restore"), 409) == ["/parent_id"]
    problem(await client.get(f"leaves/{leaf}"), 404)
    problem(await client.post("leaves/99/restore"), 404)
    for path in (f"trees/{tree}", f"trees/{young}", f"boughs/{bough}", f"leaves/{leaf}"):
        assert (await client.post(f"{path}/restore")).status_code == 200


async def test_a_row_may_be_its_own_parent_or_outlive_another(client: httpx.AsyncClient) -> None:
    """S74: it comes back all the same, with children of its own or without."""
    tree, other = await new(client, "trees"), await new(client, "trees")
    vine = await new(client, "vines", tree_id=tree, found_on_id=other)
    assert (await client.patch(f"trees/{tree}", json={"parent_id": tree})).status_code == 200
    assert (await client.patch(f"vines/{vine}", json={"next_id": vine})).status_code == 200
    for path in (f"vines/{vine}", f"trees/{other}", f"trees/{tree}"):
        assert (await client.delete(path)).status_code == 204
    for path in (f"trees/{tree}", f"vines/{vine}"):
        assert (await client.post(f"{path}/restore")).status_code == 200


async def test_neither_may_one_that_a_batch_restores(client: httpx.AsyncClient) -> None:
    """S74: a batch restores nothing either below a parent that is gone, and takes a parent and its child in turn."""
    tree = await new(client, "trees")
    bough = await new(client, "boughs", tree_id=tree)
    leaf = await new(client, "leaves", bough_id=bough)
    paths = [f"trees/{tree}", f"boughs/{bough}", f"leaves/{leaf}"]
    for path in reversed(paths):
        await client.delete(path)
    operations = [{"id": path.split("/")[0], "method": "POST", "path": f"/api/v1/{path}/restore"} for path in paths]
    for refused in (operations[1:], operations[::2]):
        problem(await client.post("batch", json={"operations": refused}), 409)
    assert (await client.get("trees")).json()["total"] == 0
    assert (await client.post("batch", json={"operations": operations})).status_code == 200


async def test_what_comes_back_with_one_parent_may_not_lack_another(client: httpx.AsyncClient) -> None:
    """S74: nothing is restored while one row of it needs a deleted parent; one that it outlives may be gone."""
    tree, other, named = await new(client, "trees"), await new(client, "trees"), await new(client, "trees")
    own, foreign = await new(client, "boughs", tree_id=tree), await new(client, "boughs", tree_id=other)
    vines = [await new(client, "vines", tree_id=tree, bough_id=on, found_on_id=named) for on in (None, own, foreign)]
    for path in (f"trees/{tree}", f"boughs/{foreign}", f"trees/{named}"):
        assert (await client.delete(path)).status_code == 204
    problem(await client.post(f"trees/{tree}/restore"), 409)
    assert (await client.get("vines")).json()["total"] == 0
    await client.post(f"boughs/{foreign}/restore")
    assert (await client.post(f"trees/{tree}/restore")).status_code == 200
    assert [row["id"] for row in (await client.get("vines")).json()["vines"]] == vines


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_no_child_slips_past_a_deletion(client: httpx.AsyncClient) -> None:
    """S74: of a deletion and children that come at its very moment, at any depth, one is first, and the other knows it."""
    for turn in range(ROUNDS):
        tree = await new(client, "trees")
        bough = await new(client, "boughs", tree_id=tree)
        leaf, fallen = await new(client, "leaves", bough_id=bough), await new(client, "boughs", tree_id=tree)
        for path in (f"leaves/{leaf}", f"boughs/{fallen}"):
            await client.delete(path)
        changes = [
            client.post(f"leaves/{leaf}/restore"),
            client.post("boughs", json={"tree_id": tree}),
            client.post("leaves", json={"bough_id": bough}),
            client.delete(f"trees/{tree}"),
            client.post(f"boughs/{fallen}/restore"),
            client.post("leaves", json={"bough_id": bough}),
            client.post("nests", json={"bough_id": bough})
            if turn % 2
            else client.post("boughs", json={"tree_id": tree}),
        ]
        answers = await asyncio.gather(*changes[turn % 3 :], *changes[: turn % 3])
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 409}, [answer.text for answer in answers]
        is_gone = (await client.get(f"trees/{tree}")).status_code == 404
        nests = [row for row in (await client.get("nests?limit=100")).json()["nests"] if row["bough_id"] == bough]
        assert not (is_gone and nests)
        alive = [(await client.get(f"{path}?limit=1&count=exact")).json()["total"] for path in ("boughs", "leaves")]
        if is_gone:
            assert alive == [0, 0]
        else:
            assert [answer.status_code for answer in answers].count(204) == 0
            for row in nests:
                await client.delete(f"nests/{row['id']}")
            assert (await client.delete(f"trees/{tree}")).status_code == 204
