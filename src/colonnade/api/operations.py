"""What a resource's routes do: raw request in, reply out. One class an operation, each a few lines around a use case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol
from urllib.parse import quote

from pydantic import BaseModel
from starlette.types import Scope

from colonnade.api.body import all_values, parse_body, require_json, sent_values
from colonnade.api.links import link_header
from colonnade.api.preconditions import conditional_reply, read_precondition
from colonnade.api.reply import Reply, document_reply
from colonnade.core.errors import PreconditionRequiredError, UnauthenticatedError
from colonnade.core.sealing import Seal
from colonnade.database.database import Database
from colonnade.models.facts import TableFacts
from colonnade.policy.principal import ANONYMOUS, Principal
from colonnade.query.cursor import open_walk
from colonnade.query.parse import (
    ListRules,
    ViewRules,
    parse_list,
    parse_view,
    read_id,
    read_switch,
    refuse_parameters,
)
from colonnade.query.precondition import UNCONDITIONAL, Precondition
from colonnade.query.request import WHOLE, Condition, View
from colonnade.query.values import read_default
from colonnade.services.applying import GONE
from colonnade.services.blueprint import Blueprint
from colonnade.services.reading import Reader
from colonnade.services.writing import Writer

Replacing = Literal[False, True, "partial"]


class Call(NamedTuple):
    """One request on its way: ASGI's scope, the way to its body, the database that it is for, and who sent it."""

    scope: Scope
    body: Callable[[], Awaitable[bytes]]
    database: Database
    principal: Principal = ANONYMOUS

    @property
    def id(self) -> str:
        """The raw id of the path."""
        return self.scope["path_params"]["id"]  # type: ignore[no-any-return]

    @property
    def seal(self) -> Seal:
        """The application's own."""
        return self.scope["app"].state.colonnade.seal  # type: ignore[no-any-return]


class Operation(Protocol):
    """Anything that answers a call."""

    async def __call__(self, call: Call) -> Reply:
        """Answer, or raise a `ProblemError`."""
        ...


@dataclass(frozen=True, slots=True)
class ListRows:
    """GET of the collection, or of a row's own part of it when `within` names the foreign key."""

    reader: Reader
    rules: ListRules
    within: str | None = None
    owner: Reader | None = None

    async def __call__(self, call: Call) -> Reply:
        """Give one page of the rows that the filters let through, in the order asked for."""
        request = parse_list(call.scope["query_string"], self.rules)
        id = None if self.owner is None else read_id(self.owner.facts.identity, call.id)
        if self.within is not None:
            request = request.within(Condition(self.within, "eq", (id,)))
        if request.walk is not None:
            request = open_walk(self.reader.facts, request, call.seal)
        if self.owner is not None:
            await self.owner.get(call.database, id)
        page = await self.reader.page(call.database, request)
        return Reply(200, (link_header(call.scope, request, page),), page.body)


@dataclass(frozen=True, slots=True)
class GetRow:
    """GET of one row."""

    reader: Reader
    rules: ViewRules

    async def __call__(self, call: Call) -> Reply:
        """Give one row, with its entity tag."""
        view = parse_view(call.scope["query_string"], self.rules)
        id = read_id(self.reader.facts.identity, call.id)
        precondition = read_precondition(call.scope)
        document = await self.reader.get(call.database, id, view)
        if precondition is UNCONDITIONAL:
            return document_reply(200, document)
        return conditional_reply(document, precondition)


@dataclass(frozen=True, slots=True)
class GetOwnRow:
    """GET of the signed-in account's own row."""

    get: GetRow
    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Give the row of whoever is signed in, as its own path gives it."""
        principal = await call.scope["app"].state.colonnade.who(call.scope)
        if principal.is_anonymous:
            raise UnauthenticatedError("Sign in first, and send the access token.")
        scope = {**call.scope, "path_params": {"id": str(principal.id)}}
        return (await self.get(call._replace(scope=scope, principal=principal))).for_principal()


@dataclass(frozen=True, slots=True)
class CreateRow:
    """POST to the collection."""

    writer: Writer

    async def __call__(self, call: Call) -> Reply:
        """Store a new row; the answer says where it stands (`Location`) and shows it as stored (RFC 9110 §9.3.3)."""
        refuse_parameters(call.scope["query_string"])
        require_json(call.scope)
        values = all_values(parse_body(self.writer.blueprint.create, await call.body()))
        created = await self.writer.create(call.database, values)
        # A text that is a key may hold anything, a line break too.
        location = f"{quote(call.scope['path'])}/{quote(str(created.id), safe='')}".encode()
        return document_reply(201, created.document, (b"location", location))


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """PATCH of one row."""

    writer: Writer
    body: type[BaseModel]
    demands: bool = False

    async def __call__(self, call: Call) -> Reply:
        """Change the fields that were sent, and no other (JSON merge patch, RFC 7396)."""
        refuse_parameters(call.scope["query_string"])
        id = read_id(self.writer.blueprint.facts.identity, call.id)
        require_json(call.scope)
        values = sent_values(parse_body(self.body, await call.body()))
        precondition = await _demanded(self, call, id, values)
        return document_reply(200, await self.writer.update(call.database, id, values, "update", precondition))


@dataclass(frozen=True, slots=True)
class ReplaceRow:
    """PUT of one row that is there already."""

    writer: Writer
    body: type[BaseModel]
    demands: bool = False

    async def __call__(self, call: Call) -> Reply:
        """Set every field that can be set, to what was sent or to its default (RFC 9110 §9.3.4)."""
        refuse_parameters(call.scope["query_string"])
        blueprint = self.writer.blueprint
        id = read_id(blueprint.facts.identity, call.id)
        require_json(call.scope)
        sent = all_values(parse_body(self.body, await call.body()))
        precondition = await _demanded(self, call, id, sent)
        values = {**_defaults(blueprint.facts, blueprint), **sent}
        return document_reply(200, await self.writer.update(call.database, id, values, "replace", precondition))


@dataclass(frozen=True, slots=True)
class DeleteRow:
    """DELETE of one row; `purges` where the client may ask for it to be for good."""

    writer: Writer
    demands: bool = False
    purges: bool = False

    async def __call__(self, call: Call) -> Reply:
        """Remove one row; the second time there is none."""
        permanent = read_switch(call.scope["query_string"], "permanent", allowed=self.purges)
        id = read_id(self.writer.blueprint.facts.identity, call.id)
        precondition = await _demanded(self, call, id, {})
        await self.writer.delete(call.database, id, precondition, permanent=permanent)
        return Reply(204)


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """POST to `/restore` of one row that was deleted softly."""

    writer: Writer
    demands: bool = False

    async def __call__(self, call: Call) -> Reply:
        """Bring one deleted row back, and what was deleted with it."""
        refuse_parameters(call.scope["query_string"])
        id = read_id(self.writer.blueprint.facts.identity, call.id)
        precondition = await _demanded(self, call, id, {}, GONE)
        return document_reply(200, await self.writer.restore(call.database, id, precondition))


async def _demanded(
    operation: UpdateRow | ReplaceRow | DeleteRow | RestoreRow,
    call: Call,
    id: object,
    values: dict[str, Any],
    view: View = WHOLE,
) -> Precondition:
    """Read what the client demands of the row, and take the version that it names out of the body's values.

    Raises:
        NotFoundError: CLN400, there is no such row; otherwise
        PreconditionRequiredError: CLN432, it demands nothing, and the resource wants it to.
    """
    version = operation.writer.blueprint.facts.version
    precondition = read_precondition(call.scope, None if version is None else values.pop(version.key, None))
    if operation.demands and precondition is UNCONDITIONAL:
        await operation.writer.reader.get(call.database, id, view)
        raise PreconditionRequiredError("This resource is changed with a precondition only.")
    return precondition


def _defaults(facts: TableFacts, blueprint: Blueprint) -> dict[str, Any]:
    """Give what a row is when a client says nothing: of the columns that its schema knows."""
    columns = {
        key: column
        for key, column in facts.columns.items()
        if key in blueprint.create.model_fields and not column.server_owned
    }
    found = {key: column.default() if column.default else read_default(column) for key, column in columns.items()}
    return {key: value for key, value in found.items() if value is not None or columns[key].nullable}
