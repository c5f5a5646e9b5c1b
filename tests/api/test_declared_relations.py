"""Relations as an application declares them: loaded along by the model, read through an alias, three lists deep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from colonnade import Change, Database, IntegerId, Resource, Schemas, Service, create_app
from colonnade.core.settings import Settings
from tests.library import client_of

pytestmark = pytest.mark.anyio


class Ground(DeclarativeBase):
    """The base of the models of this file."""


class Town(IntegerId, Ground):
    """Has streets."""

    __tablename__ = "towns"

    name: Mapped[str] = mapped_column(sa.String(50))
    streets: Mapped[list[Street]] = relationship(lazy="raise", order_by="Street.id")


class Street(IntegerId, Ground):
    """Is always loaded with its town."""

    __tablename__ = "streets"

    name: Mapped[str] = mapped_column(sa.String(50))
    town_id: Mapped[int | None] = mapped_column(sa.ForeignKey("towns.id"))
    town: Mapped[Town | None] = relationship(lazy="joined", overlaps="streets")
    houses: Mapped[list[House]] = relationship(lazy="raise", order_by="House.id")


class House(IntegerId, Ground):
    """Has flats."""

    __tablename__ = "houses"

    street_id: Mapped[int] = mapped_column(sa.ForeignKey("streets.id"))
    flats: Mapped[list[Flat]] = relationship(lazy="raise", order_by="Flat.id")


class Flat(IntegerId, Ground):
    """Has nothing."""

    __tablename__ = "flats"

    house_id: Mapped[int] = mapped_column(sa.ForeignKey("houses.id"))


class Watched(Service):
    """Has changes made by a session."""

    def __init__(self) -> None:
        self.towns: list[str | None] = []

    async def before_update(self, change: Change) -> None:
        """See the town that was loaded along."""
        self.towns.append(change.row.town and change.row.town.name)

    async def before_delete(self, change: Change) -> None:
        """See it too."""
        await self.before_update(change)


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int


class HouseShown(Shown):
    flats: list[Shown]


class StreetShown(Shown):
    houses: list[HouseShown]


class TownShown(Shown):
    streets: list[StreetShown]


class AliasShown(Shown):
    place: Shown | None = Field(validation_alias="town")
    buildings: list[Shown] = Field(validation_alias="houses")


def served(database: Database, resources: Sequence[Resource]) -> FastAPI:
    """Make an application of some resources."""
    return create_app(resources, database=database, settings=Settings(env="test", _env_file=None))


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
async def test_a_row_is_locked_without_what_is_loaded_along(database_url: str) -> None:
    """S13, S31: `lazy="joined"` on a model: the row of a change is locked, and no row behind the outer join."""
    service, database = Watched(), Database(database_url, metadata=Ground.metadata)
    app = served(database, [Resource(Street, service=service), Resource(Town)])
    async with app.router.lifespan_context(app), client_of(app) as client:
        await client.post("towns", json={"name": "Bath"})
        await client.post("streets", json={"name": "Old", "town_id": 1})
        await client.post("streets", json={"name": "Lost"})
        for number in (1, 2):
            answer = await client.patch(f"streets/{number}", json={"name": "New"})
            assert answer.status_code == 200, answer.text
        assert (await client.delete("streets/1")).status_code == 204
    assert service.towns == ["Bath", None, "Bath"]


@pytest.mark.databases("sqlite-memory")
async def test_a_relation_is_read_through_an_alias(database_url: str) -> None:
    """S31, S68: what a schema reads by a validation alias is loaded as what it reads by its own name."""
    database = Database(database_url, metadata=Ground.metadata)
    app = served(database, [Resource(Street, schemas=Schemas(response=AliasShown)), Resource(Town)])
    async with app.router.lifespan_context(app), client_of(app) as client:
        await client.post("towns", json={"name": "Bath"})
        made = await client.post("streets", json={"name": "Old", "town_id": 1})
        assert made.status_code == 201, made.text
        assert made.json() == {"id": 1, "place": {"id": 1}, "buildings": []}
        assert (await client.get("streets")).json()["streets"] == [made.json()]


@pytest.mark.databases("sqlite-memory")
async def test_lists_inside_of_lists_have_any_number_of_parents(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S31: the innermost are asked for in several statements where their parents are more than fit into one."""
    monkeypatch.setattr("colonnade.services.reading.BRANCH_SIZES", (1, 2))
    database = Database(database_url, metadata=Ground.metadata)
    app = served(database, [Resource(Town, schemas=Schemas(response=TownShown))])
    async with app.router.lifespan_context(app), client_of(app) as client:
        async with database.engine.begin() as connection:
            await connection.execute(sa.insert(Town), [{"name": "Bath"}])
            await connection.execute(sa.insert(Street), [{"name": "Old", "town_id": 1}])
            await connection.execute(sa.insert(House), [{"street_id": 1}] * 5)
            await connection.execute(sa.insert(Flat), [{"house_id": number} for number in range(1, 6)])
        houses = [{"id": number, "flats": [{"id": number}]} for number in range(1, 6)]
        assert (await client.get("towns/1")).json() == {"id": 1, "streets": [{"id": 1, "houses": houses}]}
