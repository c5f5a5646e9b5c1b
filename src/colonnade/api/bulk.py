"""What the bulk routes do: `POST /x/bulk`, `PATCH /x/bulk`, `PUT /x/bulk`, `POST /x/bulk-delete`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel
from starlette.types import Scope

from colonnade.api.body import all_values, parse_body, require_json, sent_values, validate_item, validate_items
from colonnade.api.operations import Call
from colonnade.api.problems import problem_response
from colonnade.api.reply import Reply
from colonnade.core.errors import Fault, InvalidBodyError, InvalidParameterError, ProblemError
from colonnade.core.json import dump_json, parse_json
from colonnade.models.facts import ColumnFacts, Kind
from colonnade.policy.access import Permit
from colonnade.policy.principal import Principal
from colonnade.query.bulk_filter import read_filter
from colonnade.query.parse import ListRules, parse_query, read_id
from colonnade.query.precondition import UNCONDITIONAL, Precondition
from colonnade.query.refusals import refuse_parameter, refuse_unknown
from colonnade.query.request import ReadRequest
from colonnade.schemas.bulk import CHANGE_FORMS, DELETE_FORMS, BulkBody, Forms
from colonnade.services.bulk import BulkWriter, Done, Item
from colonnade.services.bulk_targets import FilteredWriter
from colonnade.services.bulk_upsert import Upserter
from colonnade.services.hooks import Action

_STATUS: Mapping[Action, int] = {"create": 201, "update": 200, "replace": 200, "delete": 204}

Read = Callable[[int, Any], Item]


@dataclass(frozen=True, slots=True)
class BulkCreate:
    """POST of many rows."""

    bulk: BulkWriter
    body: type[BulkBody]

    def permit(self, principal: Principal) -> Permit:
        """Ask for `create`."""
        return self.bulk.reader.gate.permit("create", principal)

    async def __call__(self, call: Call) -> Reply:
        """Store all items, or none: 201 with the rows in their order. With `atomic=false`: 207, each by itself."""
        permit, schema = self.permit(call.principal), self.bulk.writer.blueprint.create
        body, atomic = await _read(call, self.body)
        allowed, values = permit.access.fields, body.items  # type: ignore[attr-defined]  # of the schema

        def made(index: int, parsed: BaseModel) -> Item:
            needed = permit if allowed is None else permit.sending(parsed.model_fields_set)
            return Item("create", f"/items/{index}", all_values(parsed), permit=needed)

        def item(index: int, value: object) -> Item:
            return made(index, validate_item(schema, value, f"/items/{index}", allowed))

        if not atomic:
            return await _singly(call, self.bulk, values, item)
        parsed = validate_items(schema, values) if allowed is None else None
        items = _all_items(values, item) if parsed is None else [made(index, one) for index, one in enumerate(parsed)]
        shown = await self.bulk.together(call.database, items)
        return Reply(201, (), dump_json({self.bulk.writer.blueprint.plural: shown}))


@dataclass(frozen=True, slots=True)
class BulkUpdate:
    """PATCH of many rows."""

    bulk: BulkWriter
    filtered: FilteredWriter
    rules: ListRules
    body: type[BulkBody]

    def permit(self, principal: Principal) -> Permit:
        """Ask for `update`."""
        return self.bulk.reader.gate.permit("update", principal)

    async def __call__(self, call: Call) -> Reply:
        """Change all that is named, or nothing: 200 with the rows in the order of ids or items.

        Three forms: `ids` and `set`; `items`, each with its id and, where it must still have one, its version; `filter`
        with `max_affected` and `set` (409 when it finds more). With `atomic=false`: 207, each by itself.
        """
        permit = self.permit(call.principal)
        body, atomic = await _read(call, self.body)
        form = _form(body, CHANGE_FORMS)
        plural = self.bulk.writer.blueprint.plural
        if form == "filter":
            _require_atomic(atomic)
            affected, shown = await self._by_filter(call, body, permit)
            return Reply(200, (), dump_json({"affected": affected, plural: shown}))
        reads = partial(self._item, permit) if form == "items" else self._of_id(body, permit)
        values, item = getattr(body, form), reads
        if not atomic:
            return await _singly(call, self.bulk, values, item)
        items = _distinct(_all_items(values, item))
        shown = await self.bulk.together(call.database, items)
        return Reply(200, (), dump_json({"affected": len(shown), plural: shown}))

    async def _by_filter(self, call: Call, body: Any, permit: Permit) -> tuple[int, list[dict[str, Any]]]:
        values = self._set(body, permit)
        permit = permit.sending(values.keys())
        request = _filtered(call, self.bulk, self.rules, body, permit)
        return await self.filtered.change(
            call.database, request, body.max_affected, lambda id: Item("update", "/set", values, id, permit=permit)
        )

    def _of_id(self, body: Any, permit: Permit) -> Read:
        values = self._set(body, permit)
        permit = permit.sending(values.keys())
        return lambda index, id: Item(
            "update", f"/ids/{index}", values, _id(self.bulk.facts.identity, id, f"/ids/{index}"), permit=permit
        )

    def _set(self, body: Any, permit: Permit) -> dict[str, Any]:
        return sent_values(validate_item(self.bulk.writer.blueprint.update, body.set, "/set", permit.access.fields))

    def _item(self, permit: Permit, index: int, value: Any) -> Item:
        at, identity, version = f"/items/{index}", self.bulk.facts.identity, self.bulk.facts.version
        rest = dict(value) if isinstance(value, dict) else {}
        if identity.key not in rest:
            raise _refused("missing", "The id of the row.", f"{at}/{identity.key}")
        id = _id(identity, rest.pop(identity.key), f"{at}/{identity.key}")
        expected = None if version is None else rest.pop(version.key, None)
        if expected is not None and (isinstance(expected, bool) or not isinstance(expected, int)):
            raise _refused("whole_number_expected", "A whole number.", f"{at}/version")
        values = sent_values(validate_item(self.bulk.writer.blueprint.update, rest, at, permit.access.fields))
        demanded = UNCONDITIONAL if expected is None else Precondition(version=expected)
        return Item("update", at, values, id, demanded, permit.sending(values.keys()))


@dataclass(frozen=True, slots=True)
class BulkDelete:
    """POST of what shall be deleted."""

    bulk: BulkWriter
    filtered: FilteredWriter
    rules: ListRules
    body: type[BulkBody]

    def permit(self, principal: Principal) -> Permit:
        """Ask for `delete`."""
        return self.bulk.reader.gate.permit("delete", principal)

    async def __call__(self, call: Call) -> Reply:
        """Delete all rows that `ids` names, or that `filter` finds (at most `max_affected`): 200 with their number."""
        permit = self.permit(call.principal)
        body, atomic = await _read(call, self.body)
        values: Any = body
        if _form(body, DELETE_FORMS) == "filter":
            _require_atomic(atomic)
            request = _filtered(call, self.bulk, self.rules, values, permit)
            affected, _ = await self.filtered.change(
                call.database, request, values.max_affected, lambda id: Item("delete", "/filter", {}, id, permit=permit)
            )
            return Reply(200, (), dump_json({"affected": affected}))
        if not atomic:
            return await _singly(call, self.bulk, values.ids, partial(self._item, permit))
        items = _distinct(_all_items(values.ids, partial(self._item, permit)))
        await self.bulk.together(call.database, items)
        return Reply(200, (), dump_json({"affected": len(items)}))

    def _item(self, permit: Permit, index: int, id: object) -> Item:
        at = f"/ids/{index}"
        return Item("delete", at, {}, _id(self.bulk.facts.identity, id, at), permit=permit)


@dataclass(frozen=True, slots=True)
class BulkUpsert:
    """PUT of many rows, each found by a unique key or made."""

    upserter: Upserter
    body: type[BulkBody]

    def permit(self, principal: Principal) -> Permit:
        """Ask for `create`; what is there already is changed with `update`, which is asked for, too."""
        return self.upserter.bulk.reader.gate.permit("create", principal)

    async def __call__(self, call: Call) -> Reply:
        """Change the rows that have an item's key by what it sends, create the others: 200 with the rows in its order."""
        permit = self.permit(call.principal)
        changing = self.upserter.bulk.reader.gate.permit("update", call.principal)
        body, atomic = await _read(call, self.body)
        _require_atomic(atomic)
        blueprint = self.upserter.bulk.writer.blueprint

        sent: list[set[str]] = []

        def item(index: int, value: object) -> Item:
            parsed = validate_item(blueprint.create, value, f"/items/{index}", permit.access.fields)
            sent.append(parsed.model_fields_set)
            making = permit.sending(parsed.model_fields_set)
            return Item("create", f"/items/{index}", all_values(parsed), permit=making)

        items = _all_items(body.items, item)  # type: ignore[attr-defined]  # of the schema
        shown = await self.upserter.upsert(call.database, items, sent, changing)
        return Reply(200, (), dump_json({"affected": len(shown), blueprint.plural: shown}))


def _filtered(call: Call, bulk: BulkWriter, rules: ListRules, body: Any, permit: Permit) -> ReadRequest:
    """Read a filter: it may ask for what its sender sees, and finds what its sender may change."""
    sight = bulk.reader.gate.sight(call.principal)
    return read_filter(
        body.filter, rules.of(sight), body.max_affected + 1, None if permit.restricts is None else permit
    )


async def _read(call: Call, schema: type[BulkBody]) -> tuple[BulkBody, bool]:
    """Read a bulk body; `atomic=false` may stand in the query string as well."""
    atomic = _atomic(call.scope)
    require_json(call.scope)
    body = parse_body(schema, await call.body())
    assert isinstance(body, BulkBody)  # every schema here is one
    return body, atomic and body.atomic


def _atomic(scope: Scope) -> bool:
    found = parse_query(scope["query_string"]) if scope["query_string"] else {}
    if unknown := found.keys() - {"atomic"}:
        refuse_unknown(unknown)
    if found.get("atomic", "true") not in {"true", "false"}:
        refuse_parameter("atomic", "boolean_expected", "Expected true or false.")
    return found.get("atomic") != "false"


def _all_items(values: Sequence[Any], read: Read) -> list[Item]:
    """Read every item, and refuse with the faults of all that do not fit."""
    items: list[Item] = []
    faults: list[Fault] = []
    for index, value in enumerate(values):
        try:
            items.append(read(index, value))
        except InvalidBodyError as error:
            faults += error.faults
    if faults:
        raise InvalidBodyError("Some items do not fit.", faults=faults)
    return items


def _distinct(items: list[Item]) -> list[Item]:
    seen: set[object] = set()
    for item in items:
        if item.id in seen:
            raise _refused("repeated", "The row is named earlier in the body.", item.at)
        seen.add(item.id)
    return items


async def _singly(call: Call, bulk: BulkWriter, values: Sequence[Any], read: Read) -> Reply:
    """Make what can be made: 207 (RFC 4918 §13, in JSON) with one result per item."""
    items: list[Item | ProblemError] = []
    for index, value in enumerate(values):
        try:
            items.append(read(index, value))
        except InvalidBodyError as error:
            items.append(error)
    done = await bulk.singly(call.database, items)
    return Reply(207, (), dump_json({"results": list(_results(done, call.scope))}))


def _results(done: Sequence[Done], scope: Scope) -> Iterator[dict[str, Any]]:
    for index, one in enumerate(done):
        if one.problem is None:
            yield {"index": index, "status": _STATUS[one.action], "body": one.shown}
        else:
            status, _, body = problem_response(one.problem, scope)
            yield {"index": index, "status": status, "body": parse_json(body)}


def _form(body: BulkBody, forms: Forms) -> str:
    """Tell which form a body has, by the members that it gives."""
    given = {name for name in body.model_fields_set if name != "atomic"}
    for form in forms:
        if given == set(form):
            return form[0]
    wanted = "; or ".join(" and ".join(f"'{name}'" for name in form) for form in forms)
    raise _refused("form_unknown", f"Expected {wanted}.", "")


def _require_atomic(atomic: bool) -> None:
    if not atomic:
        raise _refused("atomic_only", "This form is made as a whole; leave 'atomic' out.", "/atomic")


def _id(column: ColumnFacts, value: object, at: str) -> object:
    if isinstance(value, bool) or not isinstance(value, int if column.kind is Kind.INTEGER else str):
        raise _refused(f"{column.kind.value}_expected", "Not an id of this resource.", at)
    try:
        return read_id(column, str(value))
    except InvalidParameterError as error:
        fault = error.faults[0]
        raise _refused(fault.code, fault.message, at) from None


def _refused(code: str, message: str, pointer: str) -> InvalidBodyError:
    return InvalidBodyError(f"The body does not fit: {message}", faults=[Fault(code, message, pointer=pointer)])
