"""`Resource`: a model, its schemas and its rules become an ordinary FastAPI router."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi.params import Depends as DependsMarker
from pydantic import BaseModel, create_model
from sqlalchemy.orm import DeclarativeBase

from colonnade.api.operations import (
    CreateRow,
    DeleteRow,
    GetRow,
    ListRows,
    Operation,
    ReplaceRow,
    Replacing,
    UpdateRow,
)
from colonnade.api.parameters import id_parameter, list_parameters
from colonnade.api.problems import Problem
from colonnade.api.route import ResourceRoute, get_database, run_operation
from colonnade.core.errors import DeclarationError
from colonnade.database.database import Database
from colonnade.models.facts import TableFacts, read_facts
from colonnade.query.parse import ListRules, list_filters
from colonnade.query.request import SortKey
from colonnade.schemas.derive import derive_create, derive_response, derive_update
from colonnade.services.blueprint import Blueprint
from colonnade.services.hooks import Service
from colonnade.services.reading import Reader
from colonnade.services.writing import Writer

Method = Literal["list", "create", "get", "update", "delete"]
METHODS: tuple[Method, ...] = ("list", "create", "get", "update", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a resource's list may be asked for, beside its pages.

    Attributes:
        filters: fields that may be filtered by; each takes the operators of its type (`price`, `price__gte`, ...).
        sorts: fields that may be sorted by.
        default_sort: comma list as in the query, e.g. `-created_at`; the primary key when empty.
        page_size: rows of a page when none is asked for.
    """

    filters: Sequence[str] = ()
    sorts: Sequence[str] = ()
    default_sort: str = ""
    page_size: int = 10


class Resource:
    """A table served as a REST resource; `router` is an ordinary `APIRouter` for `include_router`.

    Args:
        model: mapped to one table with a primary key of one column.
        schemas: any of `create`, `update` and `response`; those that are not given are derived from the model.
        listing: filters, sorts and page size of its list.
        service: its rules; see `Service`.
        path: its path, `/`-less; the table's name in kebab-case when not given.
        plural: the key of its lists; the path in snake_case when not given.
        methods: which operations there are.
        replace: PUT too: True for a full replacement, "partial" to take it as PATCH.
        parts: path of a sub-list -> (resource, foreign key): `{"posts": (posts, "user_id")}` is `GET /{id}/posts`.
        dependencies: FastAPI dependencies of every route, e.g. who may; they send it FastAPI's ordinary way.
        tags: of OpenAPI; the path when not given.

    Raises:
        DeclarationError: a name is no column, or a schema misses what the table needs.
    """

    def __init__(
        self,
        model: type[DeclarativeBase],
        *,
        schemas: Mapping[Literal["create", "update", "response"], type[BaseModel]] | None = None,
        listing: Listing | None = None,
        service: Service | None = None,
        path: str | None = None,
        plural: str | None = None,
        methods: Sequence[Method] = METHODS,
        replace: Replacing = False,
        parts: Mapping[str, tuple[Resource, str]] | None = None,
        dependencies: Sequence[DependsMarker] = (),
        tags: Sequence[str] | None = None,
    ) -> None:
        facts = read_facts(model)
        given = schemas or {}
        self.path = (path or facts.table.name.replace("_", "-")).strip("/")
        self.blueprint = Blueprint(
            plural=plural or self.path.replace("-", "_"),
            facts=facts,
            create=given.get("create") or derive_create(facts),
            update=given.get("update") or derive_update(facts),
            response=given.get("response") or derive_response(facts),
            service=service or Service(),
        )
        self.rules = _rules(facts, listing or Listing())
        self.reader = Reader(self.blueprint)
        self.writer = Writer(self.blueprint, self.reader)
        self.router = APIRouter(
            prefix=f"/{self.path}", tags=list(tags or [self.path]), dependencies=list(dependencies),
            redirect_slashes=False,
        )  # fmt: skip
        self._add_routes(frozenset(methods), replace, parts or {})

    def _add_routes(
        self, methods: frozenset[str], replace: Replacing, parts: Mapping[str, tuple[Resource, str]]
    ) -> None:
        blueprint, name = self.blueprint, self.blueprint.label
        if "list" in methods:
            self._add("GET", "", ListRows(self.reader, self.rules), f"List {blueprint.plural}", self.page_schema())
        if "create" in methods:
            self._add("POST", "", CreateRow(self.writer), f"Create {name}", blueprint.response, blueprint.create)
        if "get" in methods:
            self._add("GET", "/{id}", GetRow(self.reader), f"Get {name}", blueprint.response)
        if "update" in methods:
            self._add("PATCH", "/{id}", UpdateRow(self.writer), f"Change {name}", blueprint.response, blueprint.update)
        if replace == "partial":
            self._add("PUT", "/{id}", UpdateRow(self.writer), f"Change {name} by PUT", blueprint.response, blueprint.update)
        elif replace:
            self._add("PUT", "/{id}", ReplaceRow(self.writer), f"Replace {name}", blueprint.response, blueprint.create)
        if "delete" in methods:
            self._add("DELETE", "/{id}", DeleteRow(self.writer), f"Delete {name}")
        for path, (part, key) in parts.items():
            rows = ListRows(part.reader, part.rules, within=key, owner=self.reader)
            summary = f"List {part.blueprint.plural} of one {name}"
            self._add("GET", f"/{{id}}/{path}", rows, summary, part.page_schema(), rules=part.rules)

    def page_schema(self) -> type[BaseModel]:
        """Make the schema of a list: the rows under the plural name, and the paging in either mode's words."""
        blueprint = self.blueprint
        fields: dict[str, Any] = {
            blueprint.plural: (list[blueprint.response], ...),  # type: ignore[name-defined]
            **dict.fromkeys(("total", "page", "page_size", "skip", "limit"), (int, None)),
        }
        return create_model(f"{blueprint.label}List", **fields)

    def _add(
        self,
        method: str,
        path: str,
        operation: Operation,
        summary: str,
        shown: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        *,
        rules: ListRules | None = None,
    ) -> None:
        parameters = [id_parameter(self.blueprint.facts.identity)] if path else []
        if isinstance(operation, ListRows):
            parameters += list_parameters(rules or self.rules)
        self.router.add_api_route(
            path,
            _endpoint(operation, body),
            methods=[method],
            status_code={"POST": 201, "DELETE": 204}.get(method, 200),
            response_model=shown,
            summary=summary,
            description=(type(operation).__call__.__doc__ or "").strip(),
            name=f"{method.lower()}_{self.blueprint.plural}{path.replace('/', '_').replace('{id}', 'one')}",
            responses=_problems(has_id=bool(path), writes=method != "GET", has_body=body is not None),
            openapi_extra={"parameters": parameters},
            route_class_override=ResourceRoute,
        )
        route = self.router.routes[-1]
        assert isinstance(route, ResourceRoute)  # it was just added as one
        route.operation = operation


def _endpoint(operation: Operation, body: type[BaseModel] | None) -> Callable[..., Any]:
    """Make the endpoint of FastAPI's ordinary way; its signature also tells OpenAPI of the body."""
    if body is None:

        async def endpoint(request: Request, database: Annotated[Database, Depends(get_database)]) -> Response:
            return await run_operation(operation, request, database)

        return endpoint

    async def endpoint_with_body(
        request: Request, database: Annotated[Database, Depends(get_database)], body: Any
    ) -> Response:
        return await run_operation(operation, request, database)

    endpoint_with_body.__annotations__.update(
        request=Request, database=Annotated[Database, Depends(get_database)], body=Annotated[body, Body()]
    )
    return endpoint_with_body


def _rules(facts: TableFacts, listing: Listing) -> ListRules:
    keys = [SortKey(item.removeprefix("-"), item.startswith("-")) for item in listing.default_sort.split(",") if item]
    named = [*listing.filters, *listing.sorts, *(key.field for key in keys)]
    if unknown := [name for name in named if name not in facts.columns]:
        raise DeclarationError(f"{facts.model.__name__} has no column named: {', '.join(unknown)}")
    return ListRules(
        filters=list_filters(facts, listing.filters),
        sorts=frozenset(listing.sorts),
        default_sort=tuple(keys),
        page_size=listing.page_size,
    )


def _problems(*, has_id: bool, writes: bool, has_body: bool) -> dict[int | str, dict[str, Any]]:
    told = {422: "Values that do not fit", 503: "The database is away or too busy"}
    if not writes or has_body:
        told[400] = "A query or body that can't be read"
    if has_id:
        told[404] = "No such row"
    if writes:
        told[409] = "Refused by the rows that are stored"
    if has_body:
        told |= {413: "The body is too large", 415: "The body is not JSON"}
    return {status: {"model": Problem, "description": told[status]} for status in sorted(told)}
