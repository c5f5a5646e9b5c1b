"""`Resource`: a model, its schemas and its rules become an ordinary FastAPI router."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Union

from fastapi import APIRouter
from fastapi.params import Depends as DependsMarker
from pydantic import BaseModel, Field, create_model
from sqlalchemy.orm import DeclarativeBase

from colonnade.api.bulk_endpoints import atomic_parameter, bulk_endpoints
from colonnade.api.caching import caching_of
from colonnade.api.endpoint import Endpoint
from colonnade.api.endpoint_route import add_route
from colonnade.api.history import ListHistory
from colonnade.api.operation_ids import row_operation
from colonnade.api.operations import (
    CreateRow,
    DeleteRow,
    GetOwnRow,
    GetRow,
    ListRows,
    ReplaceRow,
    Replacing,
    RestoreRow,
    UpdateRow,
)
from colonnade.api.parameters import (
    PAGE_MEMBERS,
    id_parameter,
    list_parameters,
    permanent_parameter,
    view_parameters,
)
from colonnade.api.preconditions import change_headers, read_headers
from colonnade.cache import Cache
from colonnade.core.errors import DeclarationError
from colonnade.limits.rate import Rate, read_rate
from colonnade.models.facts import Kind, TableFacts, read_facts
from colonnade.models.full_text import full_text_of
from colonnade.models.idempotency import idempotency_keys
from colonnade.policy.policy import Policy, govern, policy_of
from colonnade.query.filters import find_column, list_filters
from colonnade.query.paging import MAX_PAGE
from colonnade.query.parse import ListRules, ViewRules
from colonnade.query.request import SortKey
from colonnade.schemas.derive import derive_create, derive_response, derive_update, take_version, unset
from colonnade.schemas.history import history_page
from colonnade.schemas.parts import derive_part
from colonnade.services.blueprint import Blueprint
from colonnade.services.bulk import BulkWriter
from colonnade.services.declaration import check_blueprint
from colonnade.services.history import keep_history
from colonnade.services.history_reading import HistoryReader
from colonnade.services.hooks import Service
from colonnade.services.idempotency import IdempotencyKeys
from colonnade.services.reading import Reader
from colonnade.services.writing import Writer

Method = Literal["list", "create", "get", "update", "delete"]
METHODS: tuple[Method, ...] = ("list", "create", "get", "update", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a resource's list may be asked for, beside its pages.

    Attributes:
        filters: fields that may be filtered by; each takes the operators of its type (`price`, `price__gte`, ...).
            A relation's field too, at most two relations away: `category.name`.
        search: text fields in which `q` is looked for, a relation's too; by their words where they are those of the
            model's `full_text`, anywhere in them otherwise.
        sorts: fields that may be sorted by.
        default_sort: comma list as in the query, e.g. `-created_at`; the primary key when empty.
        page_size: rows of a page when none is asked for.
        deleted: whether `deleted=include` and `deleted=only` show rows that were deleted softly, here and at one row.
        includes: relations that may be shown beside a row, at most two deep: `{"user": UserBrief, "user.profile": ...}`
            names what is shown of each.
    """

    filters: Sequence[str] = ()
    search: Sequence[str] = ()
    sorts: Sequence[str] = ()
    default_sort: str = ""
    page_size: int = 10
    deleted: bool = False
    includes: Mapping[str, type[BaseModel]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Where a resource stands and which operations it has.

    Attributes:
        path: without slashes; the table's name in kebab-case when empty.
        plural: the key of its lists; the path in snake_case when empty.
        methods: which operations there are.
        replace: PUT too: True for a full replacement, "partial" to take it as PATCH.
        bulk: the same operations on many rows at once: `POST /bulk`, `PATCH /bulk`, `POST /bulk-delete`.
        upsert: attributes of a unique key by which `PUT /bulk` finds the rows that it changes; it creates the others.
        permanent_delete: `DELETE /{id}?permanent=true` removes for good what is otherwise deleted softly.
        precondition_required: PATCH, PUT and DELETE of one row need `If-Match` or the body's `version`, or they get 428.
        limits: how often each client may ask, by method: `{"POST": "10/minute"}` for all that POST does here, together.
        idempotent: POST and PATCH take an `Idempotency-Key`; the answers are kept in the table of `idempotency_keys`.
        me: `GET /me` shows whoever is signed in his own row; for the resource of the accounts.
        history: each change of a row is recorded in the table of `history_table`, whichever resource of the model it comes
            from, and `GET /{id}/history` shows them.
        cache: keep lists and rows with relations; see `Cache`. Its versions stand in the table of `cache_versions`.
        parts: path of a sub-list -> (resource, foreign key): `{"posts": (posts, "user_id")}` is `GET /{id}/posts`.
        dependencies: FastAPI dependencies of every route, e.g. who may; they send it FastAPI's ordinary way.
        tags: of OpenAPI; the path when there are none.
    """

    path: str = ""
    plural: str = ""
    methods: Sequence[Method] = METHODS
    replace: Replacing = False
    bulk: bool = True
    upsert: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = False
    history: bool = False
    permanent_delete: bool = False
    precondition_required: bool = False
    me: bool = False
    cache: Cache | None = None
    parts: Mapping[str, tuple[Resource, str]] = field(default_factory=dict)
    dependencies: Sequence[DependsMarker] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """What the wire takes and shows; what is not given is derived from the model."""

    create: type[BaseModel] | None = None
    update: type[BaseModel] | None = None
    response: type[BaseModel] | None = None


class Resource:
    """A table served as a REST resource; `router` is an ordinary `APIRouter` for `include_router`.

    Args:
        model: mapped to one table with a primary key of one column.
        schemas: of its bodies and responses.
        listing: filters, sorts and page size of its list.
        service: its rules; see `Service`.
        routes: where it stands, and which operations it has.
        policy: who may do what with the model's rows, here and wherever else they are shown; see `Policy`. Without one
            everybody may do everything, which an application with accounts refuses.

    Raises:
        DeclarationError: a name is no column, the table is not one that can be served, or it has another policy already.
    """

    def __init__(
        self,
        model: type[DeclarativeBase],
        *,
        schemas: Schemas | None = None,
        listing: Listing | None = None,
        service: Service | None = None,
        routes: Routes | None = None,
        policy: Policy | None = None,
    ) -> None:
        facts = read_facts(model)
        routes = routes or Routes()
        _check_declaration(schemas, listing, routes)
        self.path = (routes.path or facts.table.name.replace("_", "-")).strip("/")
        create, update, response = _complete(schemas or Schemas(), facts)
        plural = routes.plural or self.path.replace("-", "_")
        listing = listing or Listing()
        self.blueprint = Blueprint(plural, facts, create, update, response, service or Service(), listing.includes)
        check_blueprint(self.blueprint, policy)
        govern(model, policy)
        self.rules = _rules(self.blueprint, listing)
        self.reader = Reader(self.blueprint)
        self.writer = Writer(self.blueprint, self.reader)
        self.bulk = BulkWriter(self.writer, self.reader)
        self.rates = _rates(routes)
        self.keys = IdempotencyKeys(idempotency_keys(facts.table.metadata)) if routes.idempotent else None
        self.router = APIRouter(
            prefix=f"/{self.path}",
            tags=list(routes.tags or [self.path]),
            dependencies=list(routes.dependencies),
            redirect_slashes=False,
        )
        for endpoint in self._endpoints(routes):
            self._add(replace(endpoint, caching=caching_of(routes.cache, endpoint.operation)))

    @property
    def policy(self) -> Policy | None:
        """Who may do what with its rows."""
        return policy_of(self.blueprint.facts.model)

    @cached_property
    def row_schema(self) -> Any:
        """The schema of a row that is read: all of it, or what `fields` and `include` made of it."""
        blueprint = self.blueprint
        part = derive_part(f"{blueprint.label}Part", blueprint.response, blueprint.facts, blueprint.includes)
        return Union[blueprint.response, part]  # noqa: UP007  # classes known at run time

    @cached_property
    def page_schema(self) -> type[BaseModel]:
        """The schema of a list: the rows under the plural name, and the paging in each mode's words."""
        blueprint = self.blueprint
        fields: dict[str, Any] = {
            blueprint.plural: (list[self.row_schema], ...),  # type: ignore[name-defined]
            **_PAGING,
        }
        return create_model(f"{blueprint.label}List", **fields)

    def _endpoints(self, routes: Routes) -> Iterator[Endpoint]:
        reader, writer, name = self.reader, self.writer, _spoken(self.blueprint.label)
        create, shown, demands = self.blueprint.create, self.blueprint.response, routes.precondition_required
        update = take_version(self.blueprint.update, self.blueprint.facts, f"{self.blueprint.label}Patch")
        plural, page, row = self.blueprint.plural, self.page_schema, self.row_schema
        soft = self.blueprint.facts.deleted is not None
        purges = soft and routes.permanent_delete
        every: dict[Method, Endpoint] = {
            "list": Endpoint("GET", "", ListRows(reader, self.rules), f"List {plural.replace('_', ' ')}", page),
            "create": Endpoint("POST", "", CreateRow(writer), f"Create {name}", shown, create),
            "get": Endpoint("GET", "/{id}", GetRow(reader, self.rules.view), f"Get {name}", row),
            "update": Endpoint("PATCH", "/{id}", UpdateRow(writer, update, demands), f"Change {name}", shown, update),
            "delete": Endpoint("DELETE", "/{id}", DeleteRow(writer, demands, purges), f"Delete {name}"),
        }
        if routes.bulk:  # before the routes of one row, whose ids may be texts
            yield from bulk_endpoints(self.bulk, self.rules, routes.methods, routes.upsert)
        if routes.me:
            own, refused = (
                GetOwnRow(GetRow(reader, self.rules.view)),
                {404: "No such row", 412: "`If-Match` does not hold"},
            )
            yield Endpoint("GET", "/me", own, "Get your own account", shown, also=refused)
        yield from (endpoint for method, endpoint in every.items() if method in routes.methods)
        if routes.replace == "partial":
            changing = UpdateRow(writer, update, demands)
            yield Endpoint("PUT", "/{id}", changing, f"Change {name} by PUT", shown, update)
        elif routes.replace:
            body = take_version(create, self.blueprint.facts, f"{self.blueprint.label}Replace")
            yield Endpoint("PUT", "/{id}", ReplaceRow(writer, body, demands), f"Replace {name}", shown, body)
        if soft and "delete" in routes.methods:
            yield Endpoint("POST", "/{id}/restore", RestoreRow(writer, demands), f"Restore {name}", shown, status=200)
        yield from self._endpoints_below(routes, name)

    def _endpoints_below(self, routes: Routes, name: str) -> Iterator[Endpoint]:
        """Give what stands below one row: its history, and its parts."""
        if routes.history:
            keep_history(self.blueprint.facts)
            kept, entries = ListHistory(HistoryReader(self.reader)), history_page(self.blueprint.label, _PAGING)
            yield Endpoint("GET", "/{id}/history", kept, f"List the changes of {name}", entries)
        for path, (part, key) in routes.parts.items():
            rows = ListRows(part.reader, part.rules, within=key, owner=self.reader)
            governed = part.policy is not None
            yield Endpoint(
                "GET", f"/{{id}}/{path}", rows, f"List the {path} of {name}", part.page_schema, is_governed=governed
            )

    def _add(self, endpoint: Endpoint) -> None:
        name = row_operation(endpoint, self.blueprint.label, self.blueprint.plural)
        endpoint = replace(endpoint, name=name, is_governed=endpoint.is_governed or self.policy is not None)
        parameters = [id_parameter(self.blueprint.facts.identity)] if "{id}" in endpoint.path else []
        if isinstance(endpoint.operation, GetOwnRow):
            parameters = view_parameters(self.rules.view) + read_headers()
        elif isinstance(endpoint.operation, ListRows | ListHistory):
            parameters += list_parameters(endpoint.operation.rules)
        elif isinstance(endpoint.operation, GetRow):
            parameters += view_parameters(endpoint.operation.rules) + read_headers()
        elif isinstance(endpoint.operation, UpdateRow | ReplaceRow | DeleteRow | RestoreRow):
            parameters += change_headers(endpoint.operation.demands)
            if isinstance(endpoint.operation, DeleteRow) and endpoint.operation.purges:
                parameters.append(permanent_parameter())
        elif endpoint.partly is not None:
            parameters.append(atomic_parameter())
        add_route(self.router, endpoint, self.blueprint.plural, parameters, self.keys, self.rates.get(endpoint.method))
        self.router.routes[-1].model = self.blueprint.facts.model  # type: ignore[attr-defined]  # a ResourceRoute


_PAGING: dict[str, Any] = {
    name: (kind, Field(default_factory=unset, description=text)) for name, kind, text in PAGE_MEMBERS
}


def _check_declaration(schemas: object, listing: Listing | None, routes: Routes) -> None:
    """Refuse what types alone would have refused, for those who run no type checker."""
    if schemas is not None and not isinstance(schemas, Schemas):
        raise DeclarationError("schemas takes Schemas(create=..., update=..., response=...)")
    if listing is not None and not 1 <= listing.page_size <= MAX_PAGE:
        raise DeclarationError(f"page_size is {listing.page_size}; it goes from 1 to {MAX_PAGE}")
    if listing is not None and not isinstance(listing.includes, Mapping):
        raise DeclarationError("includes is a mapping of each relation to the schema of what is shown of it")
    if unknown := set(routes.methods) - set(METHODS):
        raise DeclarationError(f"no such methods: {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    for path, (part, key) in routes.parts.items():
        if key not in part.blueprint.facts.columns:
            raise DeclarationError(f"parts '{path}': {part.blueprint.label} has no column '{key}'")


def _rates(routes: Routes) -> dict[str, Rate]:
    if unknown := set(routes.limits) - {"GET", "POST", "PUT", "PATCH", "DELETE"}:
        raise DeclarationError(f"limits: no method {', '.join(sorted(unknown))}; write e.g. {{'POST': '10/minute'}}")
    return {method: read_rate(text) for method, text in routes.limits.items()}


def _spoken(label: str) -> str:
    """Say a model's name as a person would: `a user profile`, `an order`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label).lower()
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


def _complete(given: Schemas, facts: TableFacts) -> tuple[type[BaseModel], type[BaseModel], type[BaseModel]]:
    return (
        given.create or derive_create(facts),
        given.update or derive_update(facts),
        given.response or derive_response(facts),
    )


def _rules(blueprint: Blueprint, listing: Listing) -> ListRules:
    facts = blueprint.facts
    keys = [SortKey(item.removeprefix("-"), item.startswith("-")) for item in listing.default_sort.split(",") if item]
    named = [*listing.sorts, *(key.field for key in keys)]
    if unknown := [name for name in named if name not in facts.columns]:
        raise DeclarationError(f"{blueprint.label} has no column named: {', '.join(unknown)}")
    if unsearchable := [name for name in listing.search if find_column(facts, name).kind is not Kind.TEXT]:
        raise DeclarationError(f"{blueprint.label} can't search what is no text: {', '.join(unsearchable)}")
    for path in listing.includes:
        _check_include(blueprint, path)
    return ListRules(
        view=_view_rules(blueprint, listing),
        filters=list_filters(facts, listing.filters),
        sorts=frozenset(listing.sorts),
        default_sort=tuple(keys),
        page_size=listing.page_size,
        search=tuple(listing.search),
        words=_is_indexed(facts, listing.search),
    )


def _is_indexed(facts: TableFacts, search: Sequence[str]) -> bool:
    """Tell whether the fields of a search are those whose words the model indexes."""
    declared = full_text_of(facts.table)
    return declared is not None and {facts.key_of(column) for column in declared.columns} == set(search)


def _view_rules(blueprint: Blueprint, listing: Listing) -> ViewRules:
    if listing.deleted and blueprint.facts.deleted is None:
        raise DeclarationError(f"{blueprint.label} has no soft deletion; its class needs the mixin SoftDelete")
    return ViewRules(frozenset(blueprint.response.model_fields), frozenset(listing.includes), listing.deleted)


def _check_include(blueprint: Blueprint, path: str) -> None:
    head, _, tail = path.partition(".")
    relation = blueprint.facts.relations.get(head)
    if relation is None or "." in tail or (tail and tail not in read_facts(relation.target).relations):
        raise DeclarationError(f"{blueprint.label} has no relation '{path}'; includes go at most two deep")
    if head not in blueprint.includes:
        raise DeclarationError(f"{blueprint.label} includes '{path}' but not '{head}', which it hangs on")
