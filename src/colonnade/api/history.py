"""What `GET /x/{id}/history` does."""

from __future__ import annotations

from dataclasses import dataclass

from colonnade.api.links import link_header
from colonnade.api.operations import Call
from colonnade.api.reply import Reply
from colonnade.policy.access import Permit
from colonnade.policy.principal import Principal
from colonnade.query.cursor import open_walk
from colonnade.query.parse import ListRules, ViewRules, parse_list, read_id
from colonnade.query.request import SortKey
from colonnade.schemas.history import HistoryEntry
from colonnade.services.history_reading import ENTRIES, HistoryReader

RULES = ListRules(
    view=ViewRules(frozenset(HistoryEntry.model_fields)),
    filters={},
    sorts=frozenset(),
    default_sort=(SortKey("id", descending=True),),
)
"""What the entries of a row may be asked for: pages of them, the newest first."""


@dataclass(frozen=True, slots=True)
class ListHistory:
    """GET of what was changed of one row."""

    history: HistoryReader
    rules: ListRules = RULES

    def permit(self, principal: Principal) -> Permit:
        """Ask for `read_history`."""
        return self.history.reader.gate.permit("read_history", principal)

    async def __call__(self, call: Call) -> Reply:
        """Tell who changed the row, when, and what it held before and after; the newest change first."""
        request = parse_list(call.scope["query_string"], self.rules)
        id = read_id(self.history.reader.facts.identity, call.id)
        request = self.history.within(id, request)
        if request.walk is not None:
            request = open_walk(ENTRIES.facts, request, call.seal)
        page = await self.history.page(call.database, id, request, call.principal)
        return Reply(200, (link_header(call.scope, request, page),), page.body)
