"""Mailed links of accounts, by a real SMTP server: an address is verified, a forgotten password replaced."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    AccountMixin,
    Accounts,
    Database,
    DeclarationError,
    IntegerId,
    Mail,
    Policy,
    Resource,
    Routes,
    Settings,
    Versioned,
    account_tables,
    allow,
    anyone,
    create_app,
    hash_password,
    job_table,
)
from tests.house.tree import ROOT
from tests.library import places, problem
from tests.mailbox import Mailbox, mailbox
from tests.shop import PASSWORD, bearer, sign_in

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient
ADDRESS = "ada@example.com"
LINK = re.compile(r"https://shop\.test/(\S+?)\?token=(\S+)")


class Letterbox(DeclarativeBase):
    """The base of this application's model."""


class Pupil(AccountMixin, IntegerId, Versioned, Letterbox):
    """Somebody with an address."""

    __tablename__ = "pupils"
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)


OPEN = Policy(allow("everything", to=anyone))
account_tables(Pupil)
job_table(Letterbox.metadata)


class School(NamedTuple):
    """The application, a client of it, and where its mail arrives."""

    app: FastAPI
    client: Client
    box: Mailbox

    async def link(self, number: int) -> tuple[str, str]:
        """Wait for so many letters, and give the place and the token of the last one's link.

        The job is waited for as well: as long as it runs, the same letter is not asked for a second time.
        """
        with anyio.fail_after(60):
            while len(self.box.messages) < number or await self.unfinished():
                await anyio.sleep(0.01)
        found = LINK.search(self.box.messages[-1].get_content())
        assert found is not None
        return found[1], found[2]

    async def unfinished(self) -> int:
        """Count the jobs that are not done."""
        async with self.app.state.database.session(read_only=True) as session:
            return int(await session.scalar(sa.text("SELECT count(*) FROM jobs WHERE state <> 'done'")) or 0)

    async def change(self, **values: object) -> None:
        """Change the account behind the application's back."""
        async with self.app.state.database.unit_of_work() as unit:
            await unit.session.execute(sa.update(Pupil).values(**values))
            await unit.commit()

    async def ask_to_reset(self, address: str = ADDRESS) -> httpx.Response:
        """Say that the password is forgotten."""
        return await self.client.post("auth/forgot-password", json={"email": address})

    async def reset(self, token: str, password: str = "difference-2") -> httpx.Response:
        """Choose another one."""
        return await self.client.post("auth/reset-password", json={"token": token, "new_password": password})


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[School]:
    """Start the application with one account, and a worker for its letters."""
    async with mailbox() as box:
        settings = Settings(env="test", jobs=True, smtp_url=box.url, _env_file=None)  # type: ignore[call-arg, arg-type]
        mail = Mail(ROOT / "app" / "templates", settings)
        accounts = Accounts(Pupil, mail=mail, public_url="https://shop.test/")
        database = Database(database_url, metadata=Letterbox.metadata)
        app = create_app(
            [Resource(Pupil, routes=Routes(me=True), policy=OPEN)],
            accounts=accounts,
            database=database,
            settings=settings,
        )
        async with app.router.lifespan_context(app):
            async with database.unit_of_work() as unit:
                unit.session.add(Pupil(email=ADDRESS, hashed_password=await hash_password(PASSWORD)))
                await unit.commit()
            transport = httpx.ASGITransport(app)
            async with Client(transport=transport, base_url="http://school.test/api/") as client:
                yield School(app, client, box)


@pytest.fixture
async def school(database_url: str) -> AsyncIterator[School]:
    """The application."""
    async with opened(database_url) as found:
        yield found


async def test_a_link_replaces_a_forgotten_password(school: School) -> None:
    """S27, S78: once; every session ends, the new password signs in, and the address is verified by it."""
    before = await sign_in(school.client, ADDRESS)
    for _ in range(5):
        await school.client.post("auth/token", data={"username": ADDRESS, "password": "wrong-1843"})
    assert (await school.ask_to_reset("ADA@example.com")).status_code == 204
    place, token = await school.link(1)
    assert place == "reset-password"
    assert school.box.recipients == [[ADDRESS]]
    assert (await school.reset(token)).status_code == 204
    assert places(await school.reset(token, "difference-3"), 422) == ["/token"]
    assert (await school.client.get("pupils/me", headers=bearer(before))).status_code == 401
    after = await sign_in(school.client, ADDRESS, "difference-2")
    row = (await school.client.get("pupils/me", headers=bearer(after))).json()
    assert row["email_verified_at"] is not None


async def test_of_two_uses_at_once_one_counts(school: School) -> None:
    """S78: whatever the worker, the link has changed the account when the other one comes to it."""
    await school.ask_to_reset()
    _, token = await school.link(1)
    found: list[int] = []

    async def use(password: str) -> None:
        found.append((await school.reset(token, password)).status_code)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(use, f"difference-{number}")
    assert sorted(found) == [204, 422, 422]


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_link_verifies_an_address(school: School) -> None:
    """S78: whoever is signed in asks for it, whoever has it uses it, once; then there is nothing to ask for."""
    header = bearer(await sign_in(school.client, ADDRESS))
    assert (await school.client.post("auth/verify-email/request")).status_code == 401
    assert (await school.client.post("auth/verify-email/request", headers=header)).status_code == 204
    place, token = await school.link(1)
    assert place == "verify-email"
    answers = [await school.client.post("auth/verify-email", json={"token": token}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 422]
    row = (await school.client.get("pupils/me", headers=header)).json()
    assert row["email_verified_at"] is not None
    await school.client.post("auth/verify-email/request", headers=header)
    await school.ask_to_reset()
    assert (await school.link(2))[0] == "reset-password"


@pytest.mark.databases("sqlite-memory")
async def test_who_is_not_there_gets_the_same_answer(school: School) -> None:
    """S78: the same status, the same statements; and no letter."""
    there, nobody = await school.ask_to_reset(), await school.ask_to_reset("nobody@example.com")
    assert (there.status_code, there.content) == (nobody.status_code, nobody.content) == (204, b"")
    await school.link(1)
    async with school.app.state.database.session(read_only=True) as session:
        jobs = (await session.execute(sa.text("SELECT name, arguments FROM jobs ORDER BY id"))).all()
    assert [name for name, _ in jobs] == ["colonnade.accounts.letter"] * 2
    assert len(school.box.messages) == 1
    _, token = await school.link(1)
    assert token not in str(jobs)


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("change", [{"email": "b@example.com"}, {"is_active": False}, {"token_version": 1}])
async def test_a_link_is_of_the_account_as_it_was(school: School, change: dict[str, object]) -> None:
    """S78: another address, a deactivation or a sign-out everywhere since then, and it does not hold any longer."""
    await school.ask_to_reset()
    _, token = await school.link(1)
    await school.change(**change)
    assert problem(await school.reset(token), 422)["errors"][0]["code"] == "link_invalid"


@pytest.mark.databases("sqlite-memory")
async def test_one_address_gets_three_letters_an_hour(school: School) -> None:
    """S32: nobody fills somebody's mailbox; the answer does not tell that it was enough."""
    for number in range(1, 4):
        assert (await school.ask_to_reset()).status_code == 204
        await school.link(number)
    assert (await school.ask_to_reset()).status_code == 204
    async with school.app.state.database.session(read_only=True) as session:
        assert await session.scalar(sa.text("SELECT count(*) FROM jobs")) == 3


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("forgot-password", {"email": "nobody"}, "/email"),
        ("reset-password", {"token": "x", "new_password": "difference-2"}, "/token"),
        ("reset-password", {"token": "x", "new_password": "short"}, "/new_password"),
        ("verify-email", {"token": "ä"}, "/token"),
        ("verify-email", {}, "/token"),
    ],
)
async def test_what_does_not_fit_is_refused(school: School, path: str, body: dict[str, str], place: str) -> None:
    """S17: 422 that names the field."""
    assert places(await school.client.post(f"auth/{path}", json=body), 422) == [place]


def test_mail_needs_an_address_and_a_place_for_links(tmp_path: Path) -> None:
    """S78: told when it is declared."""
    mail = Mail(tmp_path, Settings(env="test", _env_file=None))  # type: ignore[call-arg]
    for given in ({"email": None, "login": ("email",), "public_url": "https://shop.test"}, {}):
        with pytest.raises(DeclarationError, match="public_url"):
            Accounts(Pupil, mail=mail, **given)  # type: ignore[arg-type]


@pytest.mark.databases("sqlite-memory")
async def test_a_link_leads_to_a_page(school: School) -> None:
    """S78: of the application itself, which no cache keeps, which runs no script but its own, and which does nothing yet."""
    for name in ("verify-email", "reset-password"):
        answer = await school.client.get(f"http://school.test/{name}?token=<script>")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'sha256-" in answer.headers["content-security-policy"]
        assert f'data-path="api/auth/{name}"' in answer.text
        assert "<script>" in answer.text.partition("</form>")[2]
        assert "token=<" not in answer.text
