"""A history leaves nothing out: folded together it is the row, whatever was done, and by however many at once."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import httpx
import pytest

from tests.workshop import ADMIN, client_of, history, new_tool, workshop

pytestmark = pytest.mark.anyio

NAMES = [f"tool {number}" for number in range(6)]
FIELDS = ("name", "owner_id", "price", "opens", "bought", "extra")
STEPS = 60


def values(random: Random) -> dict[str, Any]:
    """Draw what some fields are to hold."""
    drawn = {
        "price": random.choice([None, 1, 2.5, 19.9]),
        "owner_id": random.randint(1, 3),
        "extra": random.choice([None, {"a": 1}, {"a": [1, None]}]),
        "opens": random.choice([None, "08:00:00", "09:30:00.500000"]),
    }
    return {key: drawn[key] for key in random.sample(sorted(drawn), random.randint(0, 3))}


async def step(client: httpx.AsyncClient, random: Random) -> None:
    """Do something, whether or not it is refused."""
    id, other = random.sample(range(1, 8), 2)
    name = random.choice(NAMES)
    match random.randint(0, 8):
        case 0 | 1:
            await client.post("tools", json={"name": name, **values(random)})
        case 2:
            await client.patch(f"tools/{id}", json=values(random))
        case 3:
            await client.put(f"tools/{id}", json={"name": name, **values(random)})
        case 4:
            await client.delete(f"tools/{id}")
        case 5:
            await client.post(f"tools/{id}/restore")
        case 6:
            await client.patch(
                "tools/bulk?atomic=false", json={"ids": [id, other], "set": values(random) or {"price": 3}}
            )
        case 7:
            await client.put("tools/bulk", json={"items": [{"name": name, **values(random)}]})
        case 8:
            await client.post("tools/bulk-delete", json={"ids": [id]})


async def fold(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """Put the changes of a row together, each of which has to begin where the one before it ended."""
    state: dict[str, Any] = dict.fromkeys(FIELDS)
    state["version"] = 0
    for entry in await history(client, path, "page_size=100"):
        for key, change in entry["changes"].items():
            assert change["before"] == state[key], (path, entry)
            state[key] = change["after"]
        assert entry["version"] == state["version"] + 1, (path, entry)
        state |= {"version": entry["version"], "is_deleted": entry["operation"] == "delete"}
    return state


@pytest.mark.parametrize("watched", [False, True], ids=["compiled", "by session"])
async def test_the_history_of_a_row_adds_up_to_it(database_url: str, watched: bool) -> None:
    """Of sixty steps drawn by lot each change is told, with what was there before it."""
    random = Random(20261120)  # drawn the same each time
    async with workshop(database_url, watched=watched) as app, client_of(app, ADMIN) as client:
        for _ in range(STEPS):
            await step(client, random)
        rows = (await client.get("tools?deleted=include&limit=100")).json()["tools"]
        assert len(rows) > 3
        for row in rows:
            told = await fold(client, f"tools/{row['id']}")
            assert told == {key: row[key] for key in told}


async def test_the_histories_of_those_who_change_at_once_add_up(database_url: str) -> None:
    """S73: each entry begins where the one before it ended, though ten clients change the same rows."""
    async with workshop(database_url) as app, client_of(app, ADMIN) as client:
        for name in NAMES[:2]:
            await new_tool(client, name)

        async def work(number: int) -> None:
            assert (await client.patch(f"tools/{number % 2 + 1}", json={"price": number + 1})).status_code == 200
            set_all = {"ids": [1, 2] if number % 2 else [2, 1], "set": {"owner_id": number + 1}}
            assert (await client.patch("tools/bulk", json=set_all)).status_code == 200

        await asyncio.gather(*[work(number) for number in range(10)])
        for id in (1, 2):
            assert (await fold(client, f"tools/{id}"))["version"] == 16
