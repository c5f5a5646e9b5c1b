"""How the reference application is laid out, described and indexed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute

import app.models
from app.api import TAGS, VERSIONS
from app.main import build
from app.models import Product
from colonnade import Base, Database, Resource, Settings
from colonnade.cli.check.application import check_indexes

ROOT = Path(app.models.__file__).parents[2]
STEMS = {"user", "user_profile", "post", "category", "product", "order"}
MODELS = [getattr(app.models, name) for name in app.models.__all__ if issubclass(getattr(app.models, name), Base)]
RESOURCES = VERSIONS["v1"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return build(Settings(env="test", _env_file=None), Database("sqlite://")).openapi()  # type: ignore[call-arg]


def leading_columns(table: sa.Table) -> set[str]:
    """Name the columns that an index, a unique constraint or the primary key begins with."""
    keyed = [*table.indexes, *(item for item in table.constraints if isinstance(item, sa.UniqueConstraint))]
    return {next(iter(item.columns)).name for item in keyed} | {column.name for column in table.primary_key.columns}


def imports(path: Path) -> Iterator[str]:
    """Name the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("layer", ["models", "schemas", "api"])
def test_each_layer_has_one_file_a_resource(layer: str) -> None:
    """S1, S2: all with the same stem; rules have a file of that stem where there are any."""
    assert {path.stem for path in (ROOT / "app" / layer).glob("*.py")} >= STEMS
    assert {path.stem for path in (ROOT / "app" / "services").glob("*.py")} <= STEMS | {"__init__"}


def test_the_application_uses_public_names_only() -> None:
    """S1: whatever it needs of the library stands in `colonnade` itself; so do the examples."""
    files = [*(ROOT / "app").rglob("*.py"), *(ROOT / "examples").glob("*.py")]
    inner = [(path.name, name) for path in files for name in imports(path) if name.startswith("colonnade.")]
    assert inner == []


def test_endpoints_hold_no_logic() -> None:
    """S2: what stands in `app/api` declares; there is no function in it."""
    files = (ROOT / "app" / "api").glob("*.py")
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    assert not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)


def test_paths_are_plural_and_kebab_case(document: dict[str, Any]) -> None:
    """S3, S6: no verb, no underscore, no capital, no trailing slash."""
    names = {resource.path for resource in RESOURCES}
    assert names == {"users", "user-profiles", "posts", "categories", "products", "orders", "webhooks"}
    assert all(path == path.lower().rstrip("/") and "_" not in path for path in document["paths"] if path != "/")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_relation_loads_in_passing(model: type[Base]) -> None:
    """S31, S59: each relationship says `lazy="raise"`."""
    assert {relation.lazy for relation in sa.inspect(model).relationships} <= {"raise"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_foreign_keys_are_indexed(model: type[Base]) -> None:
    """S44: an index begins with each of them."""
    table = sa.inspect(model).local_table
    assert isinstance(table, sa.Table)
    assert {key.parent.name for key in table.foreign_keys} <= leading_columns(table)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.path)
def test_filters_and_sorts_are_indexed(resource: Resource) -> None:
    """S43, S44: an index begins with each, except flags, which tell too few rows apart."""
    facts = resource.blueprint.facts
    asked = {rule.column for rule in resource.rules.filters.values()}
    asked |= {facts.columns[name] for name in resource.rules.sorts}
    wanted = {column.column.name for column in asked if not isinstance(column.column.type, sa.Boolean)}
    assert wanted <= leading_columns(facts.table)


def test_the_index_policy_finds_nothing_to_mend() -> None:
    """S44, S82: `colonnade check` is content with every table, and knows of no index in vain."""
    database = Database("sqlite://", metadata=Base.metadata)
    served = build(Settings(env="test", _env_file=None), database)  # type: ignore[call-arg]
    assert list(check_indexes(served)) == []


def test_users_and_products_have_their_composite_indexes() -> None:
    """S42, S43: (name, price) of products; (role, created_at) of users; e-mail and username unique among who is there."""

    def indexes(name: str) -> dict[tuple[str, ...], bool | None]:
        return {tuple(index.columns.keys()): index.unique for index in Base.metadata.tables[name].indexes}

    assert ("name", "price") in indexes("products")
    users = indexes("users")
    assert ("role", "created_at") in users
    assert users["email", "alive"]
    assert users["username", "alive"]


def test_a_product_shows_itself() -> None:
    """S42: the repr says which product it is, and does not fail when it was never stored."""
    product = Product(id=7, name="Lamp", price=Decimal("19.90"), quantity=3)
    assert repr(product) == "<Product id=7 name='Lamp' price=19.90 quantity=3>"
    assert repr(Product()) == "<Product id=None name=None price=None quantity=None>"


def test_openapi_says_what_this_is(document: dict[str, Any]) -> None:
    """S28: title, version, description, contact, licence, and a text for each tag."""
    info = document["info"]
    assert all(info[key] for key in ("title", "version", "description", "summary", "contact", "license"))
    assert {tag["name"] for tag in document["tags"]} == {resource.path for resource in RESOURCES}
    assert all(tag["description"] for tag in TAGS)


def test_openapi_describes_every_operation(document: dict[str, Any]) -> None:
    """S28: each has a summary, a tag and its refusals; each body has examples."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert not path.startswith("/api") or (operation["tags"] and "422" in operation["responses"])
    for name in ("UserCreate", "ProductCreate", "CategoryCreate", "PostCreate"):
        fields = document["components"]["schemas"][name]["properties"].values()
        assert any("examples" in str(field) for field in fields), name


def test_versions_and_the_newest_without_number() -> None:
    """S4: every route of v1 answers under `/api` too."""
    served = build(Settings(env="test", _env_file=None), Database("sqlite://"))  # type: ignore[call-arg]
    paths = {context.path for context in _contexts(served)}
    versioned = {path for path in paths if path.startswith("/api/v1/")}
    assert versioned
    assert {path.replace("/api/v1/", "/api/") for path in versioned} <= paths


def _contexts(served: Any) -> list[Any]:
    from fastapi.routing import iter_route_contexts

    return [item for item in iter_route_contexts(served.routes) if isinstance(item.original_route, APIRoute)]
