"""The OpenAPI document: valid, and true of what is answered, so that a client can be made of it."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ConfigDict, computed_field

from app.main import build
from colonnade import Database, Listing, Resource, Routes, Schemas, Settings, create_app
from tests.library import Book, Publisher, Shelf, create, library, library_app, new_book
from tests.shop import new_user

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
    assert {name.lower() for name in described["headers"]} <= answer.headers.keys()


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
    assert set(rows["post"]["responses"]["201"]["headers"]) == {"Location", "ETag", "X-Request-ID"}
    assert set(rows["get"]["responses"]["200"]["headers"]) == {"Link", "X-Request-ID"}
    assert set(row["patch"]["responses"]["200"]["headers"]) == {"ETag", "X-Request-ID"}
    assert {"Retry-After", "RateLimit"} <= set(rows["get"]["responses"]["429"]["headers"])


def every(document: Document) -> list[Document]:
    """Give all operations."""
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_a_header_is_described_once(shop_document: Document) -> None:
    """S28: every answer has the request's id, each has it by reference, and so has every other header of ours."""
    named = shop_document["components"]["headers"]
    assert named.keys() == {
        "ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-ID",
    }  # fmt: skip
    for operation in every(shop_document):
        for response in operation["responses"].values():
            assert "X-Request-ID" in response["headers"]
            assert all(one == {"$ref": f"#/components/headers/{name}"} for name, one in response["headers"].items())


def test_what_counts_requests_says_so_on_every_answer() -> None:
    """S32: where there is a limit, and but for what watches over the service."""
    document = build(Settings(env="test", rate_limit="9/minute", _env_file=None), Database("sqlite://")).openapi()
    limited = {"RateLimit", "RateLimit-Policy"}
    for path in ("/api/v1/products", "/"):
        assert limited <= document["paths"][path]["get"]["responses"]["200"]["headers"].keys()
    assert not limited & document["paths"]["/health"]["get"]["responses"]["200"]["headers"].keys()


def test_an_operation_has_the_name_that_a_client_calls_it_by(shop_document: Document) -> None:
    """S28: short, alike for every resource, and each once."""
    ids = [operation["operationId"] for operation in every(shop_document)]
    assert len(set(ids)) == len(ids)
    assert {
        "list_products", "create_product", "get_product", "update_product", "replace_product", "delete_product",
        "restore_product", "list_history_of_product", "list_posts_of_user", "get_own_user", "get_user_profile",
        "bulk_create_products", "bulk_update_products", "bulk_delete_products", "batch", "get_tokens", "health",
    } <= set(ids)  # fmt: skip
    assert max(map(len, ids)) < 30


def test_a_second_version_leaves_the_names_of_the_first() -> None:
    """S4, S28: what a client was generated from stays; the same model under another path is told apart by that."""
    books, archive = Resource(Book), Resource(Book, routes=Routes(path="archive", plural="archived"))
    database = Database("sqlite://", metadata=Shelf.metadata)
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
    app = create_app({"v1": [books, archive], "v2": [Resource(Book)]}, database=database, settings=settings)
    paths = app.openapi()["paths"]
    assert paths["/api/v1/books"]["post"]["operationId"] == "create_book"
    assert paths["/api/v2/books"]["post"]["operationId"] == "create_book_v2"
    assert paths["/api/v1/archive"]["post"]["operationId"] == "create_book_archive"
    assert paths["/api/v1/archive"]["get"]["operationId"] == "list_archived"


def test_an_application_names_its_operations_itself() -> None:
    """S28: by FastAPI's own argument."""
    database = Database("sqlite://", metadata=Shelf.metadata)
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
    app = create_app(
        [Resource(Book)],
        database=database,
        settings=settings,
        generate_unique_id_function=lambda route: f"my_{route.name}{route.path_format.count('v1')}",
    )
    assert app.openapi()["paths"]["/api/v1/books"]["get"]["operationId"] == "my_list_books1"


def test_who_has_to_sign_in_is_told(shop_document: Document) -> None:
    """S28, S78: what a policy lets nobody do takes a token, what it lets anybody do takes one if there is one."""
    paths = shop_document["paths"]
    told = {
        ("/api/v1/products", "get"): True,
        ("/api/v1/products", "post"): False,
        ("/api/v1/users", "post"): True,
        ("/api/v1/users", "get"): False,
        ("/api/v1/users/{id}/posts", "get"): False,  # anybody reads posts, and nobody a user
        ("/api/v1/products/{id}/history", "get"): False,
        ("/api/v1/batch", "post"): True,
    }
    found = {(path, method): {} in paths[path][method]["security"] for path, method in told}
    assert found == told


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
