"""What a resource's routes do: raw request in, reply out. One class an operation, each a few lines around a use case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable
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
from colonnade.models.facts import Deleted, TableFacts
from colonnade.policy.access import Permit
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


@runtime_checkable
class Governed(Protocol):
    """An operation that a policy governs."""

    def permit(self, principal: Principal) -> Permit:
        """Let somebody in who may do this at all, or raise an `AccessError`."""
        ...


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

    def permit(self, principal: Principal) -> Permit:
        """Ask for `read`, of the row whose part it is too."""
        if self.owner is not None:
            self.owner.gate.permit("read", principal)
        return self.reader.gate.permit("read", principal)

    async def __call__(self, call: Call) -> Reply:
        """Give one page of the rows that the filters let through, in the order asked for."""
        permit = self._finding(self.reader.gate.sight(call.principal))
        request = parse_list(call.scope["query_string"], self.rules.of(permit), permit)
        if request.view.deleted != "hide":
            view = _with_deleted(self.reader, call, request.view)
            request = replace(request, view=replace(view, permit=self._finding(view.permit)))
        id = None if self.owner is None else read_id(self.owner.facts.identity, call.id)
        if self.within is not None:
            request = request.within(Condition(self.within, "eq", (id,)))
        if request.walk is not None:
            request = open_walk(self.reader.facts, request, call.seal)
        if self.owner is not None:
            await self.owner.get(call.database, id, _view_by(self.owner.gate.sight(call.principal)))
        page = await self.reader.page(call.database, request)
        return Reply(200, (link_header(call.scope, request, page),), page.body)

    def _finding(self, permit: Permit | None) -> Permit | None:
        """Find by the foreign key only what shows it: the list would tell what is hidden in its rows."""
        return permit if permit is None or self.within is None else permit.showing(self.within)


@dataclass(frozen=True, slots=True)
class GetRow:
    """GET of one row."""

    reader: Reader
    rules: ViewRules

    def permit(self, principal: Principal) -> Permit:
        """Ask for `read`."""
        return self.reader.gate.permit("read", principal)

    async def __call__(self, call: Call) -> Reply:
        """Give one row, with its entity tag."""
        view = parse_view(call.scope["query_string"], self.rules, self.reader.gate.sight(call.principal))
        if view.deleted != "hide":
            view = _with_deleted(self.reader, call, view)
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

    def permit(self, principal: Principal) -> Permit:
        """Ask for `create`."""
        return self.writer.reader.gate.permit("create", principal)

    async def __call__(self, call: Call) -> Reply:
        """Store a new row; the answer says where it stands (`Location`) and shows it as stored (RFC 9110 §9.3.3)."""
        permit = self.permit(call.principal)
        refuse_parameters(call.scope["query_string"])
        require_json(call.scope)
        parsed = parse_body(self.writer.blueprint.create, await call.body(), permit.access.fields)
        permit = permit.sending(parsed.model_fields_set)
        created = await self.writer.create(call.database, all_values(parsed), permit)
        # A text that is a key may hold anything, a line break too.
        location = f"{quote(call.scope['path'])}/{quote(str(created.id), safe='')}".encode()
        return document_reply(201, created.document, (b"location", location))


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """PATCH of one row."""

    writer: Writer
    body: type[BaseModel]
    demands: bool = False

    def permit(self, principal: Principal) -> Permit:
        """Ask for `update`."""
        return self.writer.reader.gate.permit("update", principal)

    async def __call__(self, call: Call) -> Reply:
        """Change the fields that were sent, and no other (JSON merge patch, RFC 7396)."""
        permit, facts = self.permit(call.principal), self.writer.blueprint.facts
        refuse_parameters(call.scope["query_string"])
        id = read_id(facts.identity, call.id)
        require_json(call.scope)
        values = sent_values(parse_body(self.body, await call.body(), sendable(permit, facts)))
        precondition = await _demanded(self, call, id, values, permit)
        permit = permit.sending(values.keys())
        document = await self.writer.update(call.database, id, values, "update", precondition, permit)
        return document_reply(200, document)


@dataclass(frozen=True, slots=True)
class ReplaceRow:
    """PUT of one row that is there already."""

    writer: Writer
    body: type[BaseModel]
    demands: bool = False

    def permit(self, principal: Principal) -> Permit:
        """Ask for `update`."""
        return self.writer.reader.gate.permit("update", principal)

    async def __call__(self, call: Call) -> Reply:
        """Set every field that can be set, to what was sent or to its default (RFC 9110 §9.3.4)."""
        permit, blueprint = self.permit(call.principal), self.writer.blueprint
        refuse_parameters(call.scope["query_string"])
        id = read_id(blueprint.facts.identity, call.id)
        require_json(call.scope)
        allowed = sendable(permit, blueprint.facts)
        sent = all_values(parse_body(self.body, await call.body(), allowed))
        precondition = await _demanded(self, call, id, sent, permit)
        values = {**_defaults(blueprint.facts, blueprint), **sent}
        if allowed is not None:
            values = {key: value for key, value in values.items() if key in allowed}
        permit = permit.sending(values.keys())
        document = await self.writer.update(call.database, id, values, "replace", precondition, permit)
        return document_reply(200, document)


@dataclass(frozen=True, slots=True)
class DeleteRow:
    """DELETE of one row; `purges` where the client may ask for it to be for good."""

    writer: Writer
    demands: bool = False
    purges: bool = False

    def permit(self, principal: Principal) -> Permit:
        """Ask for `delete`; for good it is `purge`."""
        return self.writer.reader.gate.permit("delete", principal)

    async def __call__(self, call: Call) -> Reply:
        """Remove one row; the second time there is none."""
        permanent = read_switch(call.scope["query_string"], "permanent", allowed=self.purges)
        gate = self.writer.reader.gate
        permit = gate.permit("purge", call.principal) if permanent else self.permit(call.principal)
        id = read_id(self.writer.blueprint.facts.identity, call.id)
        precondition = await _demanded(self, call, id, {}, permit, "include" if permanent else "hide")
        await self.writer.delete(call.database, id, precondition, permanent=permanent, permit=permit)
        return Reply(204)


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """POST to `/restore` of one row that was deleted softly."""

    writer: Writer
    demands: bool = False

    def permit(self, principal: Principal) -> Permit:
        """Ask for `restore`."""
        return self.writer.reader.gate.permit("restore", principal)

    async def __call__(self, call: Call) -> Reply:
        """Bring one deleted row back, and what was deleted with it."""
        permit = self.permit(call.principal)
        refuse_parameters(call.scope["query_string"])
        id = read_id(self.writer.blueprint.facts.identity, call.id)
        precondition = await _demanded(self, call, id, {}, permit, "only")
        return document_reply(200, await self.writer.restore(call.database, id, precondition, permit))


def _view_by(permit: Permit | None, deleted: Deleted = "hide") -> View:
    return WHOLE if permit is None and deleted == "hide" else View(deleted=deleted, permit=permit)


def _with_deleted(reader: Reader, call: Call, view: View) -> View:
    """Ask for the further permission that rows need which were deleted softly."""
    return replace(view, permit=reader.gate.sight(call.principal, "read_deleted"))


def sendable(permit: Permit, facts: TableFacts) -> frozenset[str] | None:
    """Name the fields that a body may have, the version among them; None where it may have any."""
    fields = permit.access.fields
    return fields if fields is None or facts.version is None else fields | {facts.version.key}


async def _demanded(
    operation: UpdateRow | ReplaceRow | DeleteRow | RestoreRow,
    call: Call,
    id: object,
    values: dict[str, Any],
    permit: Permit,
    deleted: Deleted = "hide",
) -> Precondition:
    """Read what the client demands of the row, and take the version that it names out of the body's values.

    Raises:
        NotFoundError: CLN400, there is no such row; otherwise
        PreconditionRequiredError: CLN432, it demands nothing, and the resource wants it to.
    """
    version = operation.writer.blueprint.facts.version
    precondition = read_precondition(call.scope, None if version is None else values.pop(version.key, None))
    if operation.demands and precondition is UNCONDITIONAL:
        await operation.writer.reader.get(call.database, id, _view_by(permit.before, deleted))
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
