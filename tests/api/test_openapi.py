"""The OpenAPI document: valid, and true of what is answered, so that a client can be made of it."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ConfigDict, computed_field

from app.main import build
from colonnade import Database, Listing, Resource, Schemas, Settings
from tests.library import Book, Publisher, Shelf, library, library_app, new_book
from tests.shop import create, new_user

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]

Document = dict[str, Any]


def parameters(document: Document, path: str) -> dict[str, Document]:
    """Give a list's parameters by their names."""
    return {one["name"]: one for one in document["paths"][path]["get"]["parameters"]}


def fits(document: Document, path: str, answer: httpx.Response) -> None:
    """Hold an answer to what the document says of a GET of that path; a whole document, for the sake of references."""
    described = document["paths"][path]["get"]["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    jsonschema_rs.validate({**schema, "components": document["components"]}, answer.json())
    assert described["headers"].keys() <= {name.title().replace("Etag", "ETag") for name in answer.headers}


@pytest.fixture(scope="module")
def books() -> Document:
    """The document of an application with a column of every kind."""
    return library_app(Database("sqlite://", metadata=Shelf.metadata)).openapi()


@pytest.fixture(scope="module")
def shop_document() -> Document:
    """The reference application's document."""
    return build(Settings(env="test", _env_file=None), Database("sqlite://")).openapi()  # type: ignore[call-arg]


def test_the_document_is_valid(books: Document) -> None:
    """S28: OpenAPI 3.1, by its own schema and by what no schema says (unique ids, parameters of paths, references)."""
    assert list(OpenAPIV31SpecValidator(books).iter_errors()) == []


def test_the_reference_applications_document_is_valid(shop_document: Document) -> None:
    """S28: with accounts, limits, includes and all."""
    assert list(OpenAPIV31SpecValidator(shop_document).iter_errors()) == []


def test_schemas_have_names_that_a_client_can_use(shop_document: Document) -> None:
    """Each schema has one plain name: no module's path, and no number behind it."""
    names = shop_document["components"]["schemas"]
    assert [name for name in names if "__" in name or not name[-1].isalpha()] == []


def test_a_row_is_whole_or_in_part(shop_document: Document) -> None:
    """S53: the whole row requires its fields; the part, for `fields` and `include`, none, and has the relations."""
    shown = shop_document["paths"]["/api/v1/posts/{id}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert [one["$ref"].rpartition("/")[2] for one in shown["schema"]["anyOf"]] == ["PostResponse", "PostPart"]
    schemas = shop_document["components"]["schemas"]
    assert {"id", "title"} <= set(schemas["PostResponse"]["required"])
    assert "required" not in schemas["PostPart"]
    assert schemas["PostPart"]["properties"].keys() > schemas["PostResponse"]["properties"].keys()


@pytest.mark.parametrize(
    "query",
    ["", "?fields=title", "?include=user", "?include=user&fields=id,user", "?page=9", "?cursor=", "?skip=1&count=none"],
)
async def test_every_view_of_a_list_is_as_described(
    shop: httpx.AsyncClient, shop_document: Document, query: str
) -> None:
    """S53: whatever is asked for, what is answered fits the document."""
    user = await new_user(shop)
    for number in range(3):
        await create(shop, "posts", user_id=user["id"], title=f"Tea {number}", body="Leaves.")
    fits(shop_document, "/api/v1/posts", await shop.get(f"posts{query}"))


@pytest.mark.parametrize("query", ["", "?fields=title", "?include=user", "?include=user&fields=user"])
async def test_every_view_of_a_row_is_as_described(
    shop: httpx.AsyncClient, shop_document: Document, query: str
) -> None:
    """S53: the same for one row."""
    user = await new_user(shop)
    await create(shop, "posts", user_id=user["id"], title="Tea", body="Leaves.")
    fits(shop_document, "/api/v1/posts/{id}", await shop.get(f"posts/1{query}"))


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("pages__in", {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 200}),
        ("price__between", {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        (
            "binding__nin",
            {
                "type": "array",
                "items": {"type": "string", "enum": ["hard cover", "soft cover"]},
                "minItems": 1,
                "maxItems": 200,
            },
        ),
    ],
)
def test_a_comma_list_is_an_array(books: Document, name: str, schema: Document) -> None:
    """A client sends several values as one comma list, each of the field's type (style `form`, not exploded)."""
    described = parameters(books, "/api/v1/books")[name]
    assert (described["schema"], described["style"], described["explode"]) == (schema, "form", False)


def test_names_to_choose_from_are_listed(books: Document) -> None:
    """`sort` and `fields` are arrays of the names that there are, `sort` in both directions."""
    found = parameters(books, "/api/v1/books")
    assert {"title", "-title"} <= set(found["sort"]["schema"]["items"]["enum"])
    assert set(found["fields"]["schema"]["items"]["enum"]) == set(
        books["components"]["schemas"]["BookPart"]["properties"]
    )


async def test_what_a_client_makes_of_an_array_is_read(books: Document) -> None:
    """What httpx makes of a comma list is read, its commas percent-encoded or not."""
    async with library("sqlite://") as client:
        for title in ("a", "b", "c"):
            await new_book(client, title)
        for query in ({"title__in": "a,b", "sort": "-title"}, "title__in=a,b&sort=-title"):
            shown = (await client.get("books", params=query)).json()["books"]
            assert [book["title"] for book in shown] == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("page", ["skip", "offset", "limit", "cursor"]),
        ("page_size", ["skip", "offset", "limit", "cursor"]),
        ("skip", ["page", "page_size", "offset", "cursor"]),
        ("offset", ["page", "page_size", "skip", "cursor"]),
        ("limit", ["page", "page_size"]),
        ("cursor", ["page", "page_size", "skip", "offset"]),
        ("sort", ["sort_by", "order"]),
        ("sort_by", ["sort"]),
        ("order", ["sort"]),
    ],
)
async def test_words_that_exclude_each_other_say_so(books: Document, name: str, others: list[str]) -> None:
    """S79: OpenAPI can't say it otherwise, so each parameter's text names those it does not go with: just those."""
    values = {"cursor": "", "sort": "title", "sort_by": "title", "order": "asc"}
    said = parameters(books, "/api/v1/books")[name]["description"].partition("Not with")[2]
    assert [other for other in others if f"`{other}`" not in said] == []
    async with library("sqlite://") as client:
        for other in (one for one in parameters(books, "/api/v1/books") if f"`{one}`" in said):
            query = {one: values.get(one, "1") for one in (name, other)}
            assert (await client.get("books", params=query)).status_code == 400, query


async def test_every_status_and_header_is_told(books: Document) -> None:
    """S17: what an operation may answer stands in the document, with the headers that a client reads."""
    row, rows = books["paths"]["/api/v1/books/{id}"], books["paths"]["/api/v1/books"]
    assert set(row["get"]["responses"]) == {"200", "304", "400", "404", "412", "422", "429", "500", "503"}
    assert set(rows["post"]["responses"]) == {"201", "400", "409", "413", "415", "422", "429", "500", "503"}
    assert set(rows["post"]["responses"]["201"]["headers"]) == {"Location", "ETag"}
    assert set(rows["get"]["responses"]["200"]["headers"]) == {"Link"}
    assert set(row["patch"]["responses"]["200"]["headers"]) == {"ETag"}
    assert {"Retry-After", "RateLimit"} <= set(rows["get"]["responses"]["429"]["headers"])


def test_a_resource_without_choices_has_no_empty_ones() -> None:
    """No sorts, no filters, no includes: no parameter with nothing to choose from."""
    resource = Resource(Publisher, listing=Listing())
    app = library_app(Database("sqlite://", metadata=Shelf.metadata), resources=[resource])
    assert parameters(app.openapi(), "/api/v1/publishers").keys() == {
        "page", "page_size", "skip", "offset", "limit", "cursor", "count", "fields",
    }  # fmt: skip


def test_a_computing_response_has_a_part_too() -> None:
    """A user's own schema with a computed field and examples keeps both in the part."""

    class Spine(BaseModel):
        model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{"title": "Emma"}]})
        title: str

        @computed_field  # type: ignore[prop-decorator]
        @property
        def letters(self) -> int:
            return len(self.title)

    resource = Resource(Book, schemas=Schemas(response=Spine))
    schemas = library_app(Database("sqlite://", metadata=Shelf.metadata), resources=[resource]).openapi()["components"]
    part = schemas["schemas"]["BookPart"]
    assert (part["properties"].keys(), part["examples"]) == ({"title", "letters"}, [{"title": "Emma"}])
    assert set(schemas["schemas"]["Spine"]["required"]) == {"title", "letters"}
