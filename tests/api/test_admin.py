"""The administrator's page, from outside: who gets in, and that its changes are those of the API."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.models import Category, Product, User, UserRole
from colonnade import JobRequest, hash_password
from colonnade.models.jobs import JOBS, JobState
from tests.back_office import ADMIN, PASSWORD, Visitor, back_office

# What the database decides is tested everywhere; forms, cookies and pages are the same on each.
pytestmark = pytest.mark.anyio
everywhere = pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
somewhere = pytest.mark.databases("sqlite-memory")

LAMP = {"name": "Lamp", "price": "19.90", "quantity": "10"}


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[FastAPI]:
    """The reference application with its administrator."""
    async with back_office(database_url) as app:
        yield app


@pytest.fixture
async def admin(office: FastAPI) -> Visitor:
    """Its administrator, signed in."""
    visitor = Visitor(office)
    assert (await visitor.sign_in()).status_code == 303
    return visitor


def new_job(**values: Any) -> dict[str, Any]:
    """Make a job's row."""
    return {**JobRequest("tests.nothing", {}).row(), **values}


async def change(app: FastAPI, model: Any, id: int, **values: Any) -> None:
    """Change a row behind the page's back."""
    async with app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(model).where(model.id == id).values(**values))
        await unit.commit()


async def stored(app: FastAPI, model: Any, id: int = 1) -> Any:
    """Read a row."""
    async with app.state.database.session(read_only=True) as session:
        return await session.scalar(sa.select(model).where(model.id == id).execution_options(with_deleted=True))


def shown(answer: httpx.Response) -> str:
    """Give a page's text without tags."""
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", answer.text))


@somewhere
async def test_a_stranger_is_sent_to_the_login(office: FastAPI) -> None:
    """Every page of it asks for the login first, and the way there is not built from the Host header."""
    answer = await Visitor(office).client.get("/admin/users/list", headers={"Host": "evil.example"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/admin/login?")


@somewhere
async def test_the_page_is_found_without_its_last_slash(office: FastAPI) -> None:
    """`/admin`, as it is typed, leads to the page."""
    answer = await Visitor(office).client.get("/admin")
    assert (answer.status_code, answer.headers["location"]) == (307, "admin/")


@somewhere
@pytest.mark.parametrize(("name", "password"), [(ADMIN, "wrong-1234"), ("nobody@example.com", PASSWORD)])
async def test_a_wrong_login_is_refused(office: FastAPI, name: str, password: str) -> None:
    """S78: an unknown account and a wrong password are told in the same words."""
    answer = await Visitor(office).sign_in(name, password)
    assert answer.status_code == 400
    assert "There is no administrator of this name with this password." in shown(answer)


@somewhere
async def test_only_administrators_get_in(office: FastAPI) -> None:
    """S78: staff with the right password read what a wrong password reads, and no session of theirs is left."""
    async with office.state.database.unit_of_work() as unit:
        values = {"email": "eve@example.com", "username": "eve", "role": UserRole.STAFF}
        unit.session.add(User(**values, hashed_password=await hash_password(PASSWORD)))
        await unit.commit()
    visitor = Visitor(office)
    answer = await visitor.sign_in("eve@example.com")
    assert answer.status_code == 400
    assert "There is no administrator of this name with this password." in shown(answer)
    assert (await visitor.get("/")).status_code == 303


@somewhere
async def test_the_login_limit_holds_here(database_url: str) -> None:
    """S78: failures are counted with those of the API, and then the right password is refused as well."""
    async with back_office(database_url, login_limit="2/minute") as app:
        visitor = Visitor(app)
        for _ in range(3):
            await visitor.sign_in(password="wrong-1234")
        assert (await visitor.sign_in()).status_code == 400


@somewhere
async def test_the_session_is_new_with_each_login(office: FastAPI) -> None:
    """A cookie that somebody planted before the login is worth nothing after it; the cookie is kept from scripts."""
    visitor = Visitor(office)
    first = (await visitor.sign_in()).headers["set-cookie"]
    planted = visitor.client.cookies["colonnade_admin"]
    await visitor.post("/")
    await visitor.client.post(
        "/admin/logout", headers={"X-CSRFToken": visitor.client.cookies["starlette_admin_csrftoken"]}
    )
    await visitor.sign_in()
    assert "httponly; samesite=lax" in first
    assert visitor.client.cookies["colonnade_admin"] != planted
    other = Visitor(office)
    other.client.cookies.set("colonnade_admin", planted)
    assert (await other.get("/users/list")).status_code == 303


@somewhere
async def test_the_cookie_is_for_tls_where_there_is_tls(office: FastAPI) -> None:
    """A cookie that was given over TLS is sent over TLS only."""
    answer = await Visitor(office, "https").sign_in()
    assert "secure" in answer.headers["set-cookie"]


@somewhere
async def test_the_session_lasts_while_pages_are_opened(admin: Visitor) -> None:
    """Half an hour of idleness ends it, not half an hour of work; figures that a page fetches by itself are no work."""
    assert "colonnade_admin=" in (await admin.get("/users/list")).headers.get("set-cookie", "")
    assert "set-cookie" not in (await admin.get("/operations/figures")).headers


@somewhere
@pytest.mark.parametrize("values", [{"is_active": False}, {"role": UserRole.STAFF}, {"token_version": 7}])
async def test_who_may_no_longer_is_out_at_once(office: FastAPI, admin: Visitor, values: dict[str, Any]) -> None:
    """S78: an administrator who is deactivated, demoted or signed out everywhere is asked to log in at the next request."""
    assert (await admin.get("/users/list")).status_code == 200
    await change(office, User, 1, **values)
    assert (await admin.get("/users/list")).status_code == 303


@somewhere
async def test_a_form_without_its_token_is_refused(admin: Visitor) -> None:
    """A page of somebody else's can't change anything with the administrator's cookie."""
    answer = await admin.client.post("/admin/products/create", data=LAMP)
    assert answer.status_code == 403


@somewhere
async def test_a_token_counts_in_its_own_session_only(office: FastAPI, admin: Visitor) -> None:
    """Somebody who puts a cookie of his own session into another's browser can send no form there."""
    other = Visitor(office)
    await other.sign_in()
    for stranger in (Visitor(office), other):
        page = await stranger.get("/login" if stranger is not other else "/products/create")
        token = re.search(r'name="csrftoken" value="([^"]+)"', page.text)
        assert token is not None
        admin.client.cookies.set("starlette_admin_csrftoken", token[1], domain="shop.test")
        answer = await admin.client.post("/admin/products/create", data={"csrftoken": token[1], **LAMP})
        assert answer.status_code == 403


@somewhere
@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "https:evil.example", "http://shop.test//evil.example/admin"],
)
async def test_the_login_leads_nowhere_else(office: FastAPI, target: str) -> None:
    """`next` leads to pages of this host only."""
    answer = await Visitor(office).sign_in(target=target)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(("/admin", "/evil.example/admin"))


@somewhere
async def test_a_page_loads_from_here_alone(admin: Visitor) -> None:
    """Nothing is asked of another host, and the browser is told so."""
    answer = await admin.get("/products/list")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not re.findall(r"(?:src|href)=.https?://(?!shop\.test)", answer.text)
    assert "@import" not in answer.text


@somewhere
@pytest.mark.parametrize(
    "path", ["/products/list", "/products/create", "/users/detail?pk=1", "/operations", "/signed-in"]
)
async def test_a_page_runs_no_script_but_its_own(admin: Visitor, path: str) -> None:
    """Each script in a page has the nonce of this answer, no handler stands in an attribute: text can't become code."""
    answer = await admin.get(path)
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"script-src 'self' 'nonce-([^']+)'", policy)
    assert nonce is not None
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    inline = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)([^>]*)>", answer.text)
    assert inline
    assert set(inline) == {f' nonce="{nonce[1]}"'}
    assert re.findall(r"<[^>]+\son[a-z]+=", answer.text) == []
    assert (await admin.get(path)).headers["content-security-policy"] != policy


@somewhere
async def test_a_row_is_made_and_found(office: FastAPI, admin: Visitor) -> None:
    """A new product is stored by the resource's own operation, and the list finds it by a word."""
    answer = await admin.post("/products/create", **LAMP)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/admin/products/list"
    assert (await stored(office, Product)).name == "Lamp"
    assert "Lamp" in shown(await admin.get("/products/list", q="lamp"))
    assert "Showing 0" in shown(await admin.get("/products/list", q="chair"))


@somewhere
async def test_a_refusal_stands_beside_its_field(admin: Visitor) -> None:
    """What the API would answer with 422 is shown in the form, beside the field, with what was typed."""
    answer = await admin.post("/products/create", **{**LAMP, "price": "-1"})
    assert answer.status_code == 422
    assert "greater than 0" in shown(answer)
    assert 'value="Lamp"' in answer.text


@somewhere
async def test_only_what_was_changed_is_sent(office: FastAPI, admin: Visitor) -> None:
    """Saving a form that says what is stored changes nothing, the version included."""
    await admin.post("/products/create", **LAMP, description="One\r\ntwo")
    answer = await admin.post("/products/edit?pk=1", **LAMP, description="One\r\ntwo", _version="1")
    assert answer.status_code == 303
    assert (await stored(office, Product)).version == 1
    await admin.post("/products/edit?pk=1", **{**LAMP, "quantity": "9"}, description="One\r\ntwo", _version="1")
    lamp = await stored(office, Product)
    assert (lamp.version, lamp.quantity, lamp.description) == (2, 9, "One\ntwo")


@everywhere
async def test_a_conflict_is_explained(office: FastAPI, admin: Visitor) -> None:
    """S73: who edits what somebody else has changed meanwhile sees both, stores nothing, and may then decide."""
    await admin.post("/products/create", **LAMP)
    await change(office, Product, 1, name="Lantern", version=2)
    answer = await admin.post("/products/edit?pk=1", **{**LAMP, "quantity": "3"}, _version="1")
    assert answer.status_code == 422
    assert "Somebody changed this row while you were editing it" in shown(answer)
    assert "Lantern" in shown(answer)
    assert 'name="_version" value="2"' in answer.text
    assert (await stored(office, Product)).name == "Lantern"
    await admin.post("/products/edit?pk=1", **{**LAMP, "quantity": "3"}, _version="2")
    lamp = await stored(office, Product)
    assert (lamp.name, lamp.quantity, lamp.version) == ("Lamp", 3, 3)


@somewhere
async def test_a_refused_form_keeps_its_version(office: FastAPI, admin: Visitor) -> None:
    """A form that is sent again after a refusal is still of the version that it was filled from."""
    await admin.post("/products/create", **LAMP)
    await change(office, Product, 1, name="Lantern", version=2)
    answer = await admin.post("/products/edit?pk=1", **{**LAMP, "name": ""}, _version="1")
    assert answer.status_code == 422
    assert 'name="_version" value="1"' in answer.text


@somewhere
async def test_a_row_shows_its_history(admin: Visitor) -> None:
    """The page of a row tells who changed what, the newest first, ten changes at a time; a text is no markup there."""
    await admin.post("/products/create", **LAMP)
    for quantity in range(11, 21):
        await admin.post("/products/edit?pk=1", **{**LAMP, "name": "<b>Lamp", "quantity": str(quantity)})
    page = await admin.get("/products/detail", pk="1")
    assert "11 changes" in shown(page)
    assert "&lt;b&gt;Lamp" in page.text
    assert "<b>Lamp" not in page.text
    assert re.search(r'href="[^"]*/users/detail\?pk=1">root_', page.text)
    assert "create" not in page.text.partition('id="history"')[2].partition("card-footer")[0]
    older = (await admin.get("/products/detail", pk="1", history="2")).text.partition('id="history"')[2]
    assert ">create<" in older
    assert 'id="history"' not in (await admin.get("/users/detail", pk="1")).text


@everywhere
async def test_deleted_rows_are_restored_and_removed(office: FastAPI, admin: Visitor) -> None:
    """S74: a deletion is soft; the page of deleted rows brings one back, and removes one for good."""
    token = {"X-CSRFToken": admin.client.cookies["starlette_admin_csrftoken"]}
    await admin.post("/products/create", **LAMP)

    async def act(view: str, name: str) -> int:
        path = f"/admin/_api/{view}/row-action"
        return (await admin.client.post(path, params={"pk": 1, "name": name}, headers=token)).status_code

    assert await act("products", "delete") == 200
    assert (await stored(office, Product)).is_deleted
    assert "Lamp" in shown(await admin.get("/products-deleted/list"))
    assert await act("products-deleted", "restore") == 200
    assert not (await stored(office, Product)).is_deleted
    assert await act("products", "delete") == 200
    assert await act("products-deleted", "purge") == 200
    assert await stored(office, Product) is None


@somewhere
async def test_a_foreign_key_is_picked_from_its_rows(office: FastAPI, admin: Visitor) -> None:
    """A product's category is picked by name, and the list links to it, without a query a row."""
    await admin.post("/categories/create", name="Lighting")
    found = (await admin.get("/_api/categories/relation-lookup", q="light")).json()
    assert [item["_meta"]["repr"] for item in found["items"]] == ["Lighting"]
    await admin.post("/products/create", **LAMP, category_id="1")
    assert (await stored(office, Product)).category_id == (await stored(office, Category)).id
    assert "Lighting" in shown(await admin.get("/products/list"))


@somewhere
async def test_a_filter_is_one_of_the_lists_own(admin: Visitor) -> None:
    """The page's filters become the list's own boolean filter."""
    await admin.post("/products/create", **LAMP)
    await admin.post("/products/create", **{**LAMP, "name": "Chair", "price": "80.00"})
    dear = '{"logic":"and","rules":[{"field":"price","filter":"gt","value":"50"}]}'
    answer = shown(await admin.get("/products/list", filter=dear))
    assert "Chair" in answer
    assert "Lamp" not in answer


@somewhere
async def test_an_export_has_no_formulas(office: FastAPI, admin: Visitor) -> None:
    """A text that somebody registered with is not run by the spreadsheet of the administrator who exports it."""
    await change(office, User, 1, full_name="=HYPERLINK(A1)")
    answer = await admin.client.post(
        "/admin/_api/users/action?name=export",
        data={"format": "csv", "scope": "page"},
        headers={"X-CSRFToken": admin.client.cookies["starlette_admin_csrftoken"]},
    )
    assert answer.status_code == 200
    assert ",'=HYPERLINK(A1)," in answer.text


async def imported(admin: Visitor, view: str, text: str, **fields: str) -> Any:
    """Send a file to be imported, and give the page's answer."""
    token = {"X-CSRFToken": admin.client.cookies["starlette_admin_csrftoken"]}
    sent = {"format": "csv", **fields}
    answer = await admin.client.post(
        f"/admin/_api/{view}/import", data=sent, files={"file": ("rows.csv", text)}, headers=token
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@everywhere
async def test_a_file_is_imported_as_a_whole(office: FastAPI, admin: Visitor) -> None:
    """S52: all rows of a file are stored in one transaction, with a history each; a row that is refused stores none."""
    good = "name,price,quantity\nLamp,1,1\nChair,2,2\n"
    assert (await imported(admin, "products", good, preview="1"))["rows_total"] == 2
    told = await imported(admin, "products", good)
    assert (told["rows_created"], told["has_errors"]) == (2, False)
    told = await imported(admin, "products", good + "Table,-3,1\n")
    assert (told["rows_created"], told["has_errors"]) == (0, True)
    assert [(error["row"], error["field"]) for error in told["errors"]] == [(3, "price"), (0, None)]
    page = shown(await admin.get("/products/list"))
    assert [name in page for name in ("Lamp", "Chair", "Table")] == [True, True, False]
    told = await imported(admin, "categories", "name\nA\nB\nA\n")
    assert [(error["row"], error["field"]) for error in told["errors"]] == [(3, "name"), (0, None)]
    assert await stored(office, Category) is None


@somewhere
async def test_who_is_signed_in_is_shown_and_signed_out(office: FastAPI, admin: Visitor) -> None:
    """The page lists the sessions, of the API too, and ends one that is picked."""
    other = Visitor(office)
    await other.sign_in()
    page = (await admin.get("/signed-in")).text
    (name,) = re.findall(r'name="session" value="([^"]+)"', page)
    answer = await admin.post("/signed-in", session=name)
    assert answer.headers["location"] == "/admin/signed-in"
    assert (await other.get("/users/list")).status_code == 303
    assert (await admin.get("/users/list")).status_code == 200


@somewhere
async def test_a_job_that_was_given_up_is_tried_again(office: FastAPI, admin: Visitor) -> None:
    """The page of operations lists the jobs that are not done, and brings back one that was given up."""
    job = new_job(state=JobState.DEAD)
    async with office.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.insert(JOBS).values(job))
        await unit.commit()
    assert "dead" in shown(await admin.get("/operations"))
    figures = (await admin.get("/operations/figures")).json()
    assert (figures["dead"], figures["requests"] > 0) == (1, True)
    assert (await admin.post("/operations", job=str(job["id"]))).headers["location"] == "/admin/operations"
    assert (await admin.get("/operations/figures")).json()["dead"] == 0


@somewhere
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/operations", 303),
        ("/_api/users/action?name=delete&pks=abc", 400),
        ("/_api/products-deleted/row-action?name=purge&pk=abc", 400),
    ],
)
async def test_what_is_no_id_is_not_there(admin: Visitor, path: str, status: int) -> None:
    """S19: a form that names no row, or no job, is answered as one that names a row that is gone."""
    token = {"X-CSRFToken": admin.client.cookies["starlette_admin_csrftoken"]}
    answer = await admin.client.post(f"/admin{path}", data={"job": "abc"}, headers=token)
    assert answer.status_code == status


@somewhere
async def test_it_is_off_unless_it_is_on(database_url: str) -> None:
    """`ADMIN=off`, the default outside development: there is no such page."""
    async with back_office(database_url, admin=False) as app:
        assert (await Visitor(app).get("/login")).status_code == 404


@somewhere
async def test_no_secret_is_shown(admin: Visitor) -> None:
    """S11, S36: no page has a password or its hash, not even in a form."""
    for path in ("/users/list", "/users/detail?pk=1", "/users/edit?pk=1"):
        assert "argon2" not in (await admin.get(path)).text
