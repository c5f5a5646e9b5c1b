"""Guide C's `/items`, as the one-file example serves it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from colonnade import Base
from tests.library import create
from tests.shop import HOST

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples" / "items.py"

Client = httpx.AsyncClient


@pytest.fixture
async def items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client of the example, started in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENV", "test")
    spec = importlib.util.spec_from_file_location("items", shutil.copy(EXAMPLE, tmp_path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    known = set(Base.metadata.tables)
    spec.loader.exec_module(module)
    try:
        async with (
            module.app.router.lifespan_context(module.app),
            Client(transport=httpx.ASGITransport(module.app), base_url=f"{HOST}/api/") as client,
        ):
            yield client
    finally:
        for name in set(Base.metadata.tables) - known:
            Base.metadata.remove(Base.metadata.tables[name])
        Base.registry._dispose_cls(module.Item)


def test_it_fits_into_forty_lines() -> None:
    """S71: one file of at most 40 lines, imports and all."""
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 40


async def test_the_five_operations(items: Client) -> None:
    """S70, S71: POST, GET list, GET, PUT and DELETE."""
    item = await create(items, "items", name="Lamp", category="light", price=19.9)
    assert (item["id"], item["status"], item["version"]) == (1, "active", 1)
    assert (await items.get("items")).json()["items"] == [item]
    assert (await items.get("items/1")).json() == item
    assert (await items.put("items/1", json={"price": 5})).json()["version"] == 2
    assert (await items.delete("items/1")).status_code == 204
    assert (await items.get("items/1")).status_code == 404


async def test_filters_sorts_and_pages(items: Client) -> None:
    """S79, S80, S81: `status` and `category` AND-ed, `sort_by` and `order`, `skip` and `limit`."""
    for number, status in enumerate(["active", "active", "sold", "active"]):
        await create(items, "items", name=f"Lamp {number}", category="light", price=number + 1, status=status)
    body = (await items.get("items?status=active&category=light&sort_by=price&order=desc&skip=1&limit=2")).json()
    assert ([row["name"] for row in body["items"]], body["total"]) == (["Lamp 1", "Lamp 0"], 3)
    body = (await items.get("items?order=asc&limit=1")).json()
    assert body["items"][0]["name"] == "Lamp 0"
    assert (await items.get("items?limit=101")).status_code == 422
