"""An operation whose answers are cached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from colonnade.api.operations import Call, GetRow, ListRows, Operation
from colonnade.api.preconditions import read_precondition
from colonnade.api.reply import Reply
from colonnade.api.route import runtime_of
from colonnade.cache import Cache, Wanted
from colonnade.core.json import dump_json, parse_json
from colonnade.database.joined import JoinedDatabase
from colonnade.models.cache_versions import cache_versions, cached_tables
from colonnade.policy.principal import Principal
from colonnade.query.parse import ListRules
from colonnade.query.request import WHOLE
from colonnade.services.read_tables import read_tables

_EVERYBODY, _NOBODY = b"*", b"-"
"""Whose answers are: of all who see everything, and of those who have not signed in and do not."""

_CONDITIONS = (b"if-match", b"if-none-match")


@dataclass(frozen=True, slots=True)
class Caching:
    """How the answers of one operation are cached.

    Attributes:
        tables: behind them.
        seconds: that they are kept.
        plain: an answer without `include` is one table's columns, which are read faster than a cache is asked.
    """

    tables: tuple[str, ...]
    seconds: float
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Cached:
    """A read that is answered from the cache where nothing behind the answer has changed."""

    operation: ListRows | GetRow
    caching: Caching

    async def __call__(self, call: Call) -> Reply:
        """Answer as the operation does, or did to somebody who may see the same."""
        is_open = self.operation.permit(call.principal).access.is_open and not self._asks_for_deleted(call)
        answers = runtime_of(call.scope["app"]).answers
        if answers is None or not self._is_worth_it(call):
            return await self.operation(call)
        known, scope = read_precondition(call.scope).none_match, call.scope
        whose = _EVERYBODY if is_open else _whose(call.principal)
        what = (whose, scope.get("root_path", "").encode(), scope["path"].encode(), scope["query_string"])
        wanted = Wanted(what, self.caching.tables, self.caching.seconds)
        reply = _unpacked(await answers.find(call.database, wanted, partial(self._made, call)))
        tag = dict(reply.headers).get(b"etag")
        if known is not None and tag is not None and known.match_weakly(tag.decode().removeprefix("W/").strip('"')):
            return Reply(304, ((b"etag", tag),))
        return reply

    def _is_worth_it(self, call: Call) -> bool:
        if isinstance(call.database, JoinedDatabase):
            return False  # it sees what is not committed yet
        if self.caching.plain and b"include=" not in call.scope["query_string"]:
            return False
        # A read that is to fail unless the row is this one is too rare to be worth the thought.
        return all(name != b"if-match" for name, _ in call.scope["headers"])

    def _asks_for_deleted(self, call: Call) -> bool:
        """Rows that were deleted softly are shown by a permission of their own, which the operation asks for."""
        rules = self.operation.rules
        view = rules.view if isinstance(rules, ListRules) else rules
        return view.deleted and b"deleted" in unquote_to_bytes(call.scope["query_string"])

    async def _made(self, call: Call) -> bytes:
        """Make the whole answer, whatever this client has of it already."""
        headers = [pair for pair in call.scope["headers"] if pair[0] not in _CONDITIONS]
        return _packed(await self.operation(call._replace(scope={**call.scope, "headers": headers})))


def caching_of(cache: Cache | None, operation: Operation) -> Caching | None:
    """Say how an operation of a resource is cached, if it is.

    Args:
        cache: what the resource declares.
        operation: of one of its routes.

    Raises:
        DeclarationError: too many tables are behind an answer.
    """
    if cache is None or not isinstance(operation, ListRows | GetRow):
        return None
    if isinstance(operation, ListRows) and operation.owner is not None:
        return None  # a part of another resource, which may change far more often than this one
    blueprint, table = operation.reader.blueprint, operation.reader.facts.table
    fields: list[str] = []
    plain = False
    if isinstance(operation, ListRows):
        seconds = cache.lists
        fields += [*(one.field for one in operation.rules.filters.values()), *operation.rules.search]
    else:
        seconds = cache.rows
        plain = not blueprint.mingles(WHOLE)
    if seconds is None or (plain and not blueprint.includes):
        return None
    tables = read_tables(blueprint, fields, cache.tables)
    cache_versions(table.metadata)
    cached_tables(table.metadata).update(tables)
    return Caching(tables, seconds, plain)


def _whose(principal: Principal) -> bytes:
    """Tell answers of different principals apart: each may see rows and fields of his own, by his role and scopes."""
    if principal.is_anonymous:
        return _NOBODY
    scopes = "" if principal.scopes is None else "scopes " + " ".join(sorted(principal.scopes))
    return "\n".join((principal.key, principal.role or "", scopes)).encode()


def _packed(reply: Reply) -> bytes:
    """Write an answer as one line of JSON, and its body behind it as it is."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in reply.headers]
    return dump_json([reply.status, headers]) + b"\n" + reply.body


def _unpacked(kept: bytes) -> Reply:
    head, _, body = kept.partition(b"\n")
    parts: Any = parse_json(head)
    status, headers = parts
    return Reply(status, tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers), body)
