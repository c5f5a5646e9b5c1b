"""The page of one resource: its list, its forms and its actions, each of them a request to the resource's operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from starlette.requests import Request
from starlette_admin import BaseModelView
from starlette_admin.actions import ActionSelection, action, row_action
from starlette_admin.exceptions import ActionFailed, FormValidationError
from starlette_admin.export import CsvExporter
from starlette_admin.fields import BaseField
from starlette_admin.filters.base import FilterGroup
from starlette_admin.flash import flash
from starlette_admin.importers.base import ImportContext, ImportResult
from starlette_admin.types import RequestAction

from colonnade.admin.client import ResourceClient
from colonnade.admin.fields import Reference, fields_of
from colonnade.admin.filters import tree_of
from colonnade.admin.forms import WHOLE, body_of, changes, refused
from colonnade.admin.history import HistoryClient
from colonnade.admin.importing import Import
from colonnade.admin.row import Row
from colonnade.core.errors import InvalidParameterError, NotFoundError, ProblemError, StaleVersionError
from colonnade.core.json import dump_json

PAGE = 100
"""Rows that an operation gives at once at the most."""

MAX_EXPORT = 10_000


class ResourceView(BaseModelView):
    """A resource's rows.

    Args:
        client: asks the resource.
        views: name of a table -> key of the view that shows its rows.
        accounts: asks the resource of the accounts, if it is one of the page's.
    """

    icon = "fa-solid fa-table"
    create_template = "resource_create.html"
    edit_template = "resource_edit.html"
    detail_template = "resource_detail.html"
    # What people have sent may begin as a formula does, and a spreadsheet would run it.
    exporters = (CsvExporter(escape_formulas=True), "json")
    deleted = False

    def __init__(
        self, client: ResourceClient, views: Mapping[str, str], accounts: ResourceClient | None = None
    ) -> None:
        resource = client.resource
        self.client, self._history = client, HistoryClient(client, accounts)
        self.facts = resource.blueprint.facts
        self.key = resource.path
        spoken = resource.blueprint.plural.replace("_", " ").capitalize()
        self.menu_label, self.display_name = spoken, resource.blueprint.label
        self.pk_attr = self.facts.identity.key
        self.fields = fields_of(resource, views)
        self.sortable_fields = sorted(resource.rules.sorts)
        self.searchable_fields = list(resource.rules.search)
        self.fields_default_sort = [(key.field, key.descending) for key in resource.rules.default_sort]
        super().__init__()

    async def find_all(  # the library's own signature
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Any]:
        """Read rows in the order asked for: one page, or as many as an export may have."""
        query = self._query(q, filters)
        known = self.client.resource.rules.sorts
        if order := [f"{'-' * (way == 'desc')}{field}" for field, way in sorts or () if field in known]:
            query["sort"] = ",".join(order)
        if included := self._includes():
            query["include"] = ",".join(included)
        if 0 <= limit <= PAGE:
            return await self._page(request, {**query, "skip": skip, "limit": max(limit, 1), "count": "none"})
        return await self._walk(request, query, MAX_EXPORT if limit < 0 else limit)

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        """Count them all."""
        found = await self._ask_list(request, {**self._query(q, filters), "skip": 0, "limit": 1, "count": "exact"})
        total: int = found["total"]
        return total

    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        """Read one row; None where there is none, or none that may be seen."""
        query = {"deleted": "only"} if self.deleted else {}
        if included := self._includes():
            query["include"] = ",".join(included)
        try:
            row = self._row(await self.client.ask(request, "GET", "/{id}", id=pk, query=query))
        except (NotFoundError, InvalidParameterError):
            return None  # what is no id is none of a row
        except ProblemError as error:
            raise refused(error, frozenset()) from error
        if request.state.action == RequestAction.DETAIL:
            labels = {field.name: str(field.label) for field in self.fields}
            request.state.history = await self._history.of(request, pk, labels)
        return row

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        """Read some rows; those that are not there are left out."""
        found = [await self.find_by_pk(request, pk) for pk in pks[:PAGE]]
        return [row for row in found if row is not None]

    async def create(self, request: Request, data: dict[str, Any]) -> Any:
        """Store a new row; one of a file that is imported, when all of them are read."""
        body = {key: value for key, value in body_of(data, self.facts).items() if value is not None}
        if (rows := _imported(request)) is not None:
            return rows.create(body)
        try:
            return self._row(await self.client.ask(request, "POST", body=body))
        except ProblemError as error:
            raise refused(error, frozenset(data)) from error

    async def edit(self, request: Request, pk: Any, data: dict[str, Any]) -> Any:
        """Change what differs, of the version that the form was filled from; one that is stale is explained."""
        stored = await self.find_by_pk(request, pk)
        if stored is None:
            raise FormValidationError({WHOLE: "The row was deleted in the meantime."})
        body = changes(data, stored.values, self.facts)
        if (rows := _imported(request)) is not None:
            return rows.change(pk, body)
        version = getattr(request.state, "form_version", None)
        if self.facts.version is not None and version:
            body[self.facts.version.key] = int(version)
        try:
            return self._row(await self.client.ask(request, "PATCH", "/{id}", id=pk, body=body))
        except StaleVersionError as error:
            request.state.conflict = _Conflict(self._stale(stored, data), stored)
            raise FormValidationError({WHOLE: error.detail}) from error
        except ProblemError as error:
            raise refused(error, frozenset(data)) from error

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Delete rows, all of them or none."""
        try:
            if self.client.can("POST", "/bulk-delete"):
                is_number = self.facts.identity.python_type is int
                ids = [int(pk) if is_number and pk.isascii() and pk.isdigit() else pk for pk in pks]
                found = await self.client.ask(request, "POST", "/bulk-delete", body={"ids": ids})
                affected: int = found["affected"]
                return affected
            for pk in pks:
                await self.client.ask(request, "DELETE", "/{id}", id=pk)
        except ProblemError as error:
            raise ActionFailed(error.detail) from error
        return len(pks)

    async def before_import(self, request: Request, ctx: ImportContext) -> None:
        """Gather the rows of the file."""
        request.state.imported = Import()

    async def after_import(self, request: Request, ctx: ImportContext, result: ImportResult) -> None:
        """Store them, all or none."""
        await request.close()  # the file is read, and the library leaves it open
        if not ctx.dry_run:
            await request.state.imported.store(request, self.client, result)

    def can_import(self, request: Request) -> bool:
        """Tell whether rows can be made."""
        return self.can_create(request)

    async def validate_fields(self, request: Request, data: dict[str, Any], exclude: Any = ()) -> None:
        """Note which version the form was filled from before anything is refused, so that it is not forgotten then."""
        if self.facts.version is not None and request.method == "POST":
            version = (await request.form()).get("_version")
            request.state.form_version = version if isinstance(version, str) and version.isdigit() else None
        await super().validate_fields(request, data, exclude)

    async def repr(self, obj: Any, request: Request) -> str:
        """Say which row it is."""
        return str(obj.label)

    async def select2_result(self, obj: Any, request: Request) -> str:
        """Say the same in a list to pick from."""
        return f"<span>{escape(obj.label)} <small class='text-secondary'>{escape(str(obj.id))}</small></span>"

    async def get_pk_value(self, request: Request, obj: Any) -> Any:
        """Give a row's key."""
        return obj.id

    def can_create(self, request: Request) -> bool:
        """Tell whether rows can be made."""
        return self.client.can("POST", "")

    def can_edit(self, request: Request) -> bool:
        """Tell whether rows can be changed."""
        return self.client.can("PATCH", "/{id}")

    def can_delete(self, request: Request) -> bool:
        """Tell whether rows can be deleted."""
        return self.client.can("DELETE", "/{id}")

    def _query(self, q: str | None, filters: FilterGroup | None) -> dict[str, object]:
        query: dict[str, object] = {"deleted": "only"} if self.deleted else {}
        if q and self.client.resource.rules.search:
            query["q"] = q[:200]
        if filters is not None and not filters.is_empty():
            query["filter"] = dump_json(tree_of(filters)).decode()
        return query

    def _includes(self) -> list[str]:
        return sorted({field.relation for field in self.fields if isinstance(field, Reference) and field.relation})

    async def _page(self, request: Request, query: dict[str, object]) -> list[Row]:
        found = await self._ask_list(request, query)
        return [self._row(values) for values in found[self.client.resource.blueprint.plural]]

    async def _walk(self, request: Request, query: dict[str, object], most: int) -> list[Row]:
        """Read rows page by page, behind the place where the last page ended."""
        rows: list[Row] = []
        cursor: str | None = ""
        while cursor is not None and len(rows) < most:
            found = await self._ask_list(request, {**query, "cursor": cursor, "limit": min(PAGE, most - len(rows))})
            rows += [self._row(values) for values in found[self.client.resource.blueprint.plural]]
            cursor = found["next_cursor"]
        return rows

    async def _ask_list(self, request: Request, query: dict[str, object]) -> Any:
        try:
            return await self.client.ask(request, "GET", query=query)
        except ProblemError as error:
            raise refused(error, frozenset()) from error

    def _row(self, values: Mapping[str, Any]) -> Row:
        return Row(values, self.facts)

    def _stale(self, stored: Row, data: Mapping[str, Any]) -> list[tuple[str, object, object]]:
        """List what would be overwritten: label, what is stored by now, what the form says."""
        labels: dict[str, BaseField] = {field.name: field for field in self.fields}
        differing = changes(data, stored.values, self.facts)
        return [(str(labels[key].label), stored.values.get(key), differing[key]) for key in differing]


class DeletedView(ResourceView):
    """The rows of a resource that were deleted softly: to be looked at, restored, or removed for good."""

    deleted = True
    icon = "fa-solid fa-trash-can"

    def __init__(
        self, client: ResourceClient, views: Mapping[str, str], accounts: ResourceClient | None = None
    ) -> None:
        self.row_actions, self.actions = ["view", "restore", "purge"], ["restore"]
        super().__init__(client, views, accounts)
        for field in self.fields:
            field.exclude_from_list = field.exclude_from_list and field.name != "deleted_at"
        self.key = f"{client.resource.path}-deleted"
        self.menu_label = f"Deleted {self.menu_label.lower()}"

    def can_create(self, request: Request) -> bool:
        """Nobody makes a deleted row."""
        return False

    def can_edit(self, request: Request) -> bool:
        """Nor changes one."""
        return False

    def can_delete(self, request: Request) -> bool:
        """Nor deletes it a second time."""
        return False

    async def is_row_action_allowed(self, request: Request, name: str) -> bool:
        """Offer what the resource can do."""
        if name == "purge":
            return self.client.purges
        return await super().is_row_action_allowed(request, name)

    @row_action(
        name="restore",
        text="Restore",
        confirmation="Bring this row back, and what was deleted with it?",
        submit_btn_text="Restore",
        icon_class="fa-solid fa-rotate-left",
    )
    async def restore_row(self, request: Request, pk: Any) -> None:
        """Bring one row back."""
        await self._restore(request, [pk])

    @action(
        name="restore",
        text="Restore",
        confirmation="Bring the selected rows back, and what was deleted with them?",
        submit_btn_text="Restore",
    )
    async def restore_rows(self, request: Request, selection: ActionSelection) -> None:
        """Bring rows back, one after the other."""
        await self._restore(request, await selection.pks())

    @row_action(
        name="purge",
        text="Remove for good",
        confirmation="Remove this row for good? Nobody can bring it back.",
        submit_btn_text="Remove for good",
        submit_btn_class="btn btn-danger",
        icon_class="fa-solid fa-fire",
    )
    async def purge_row(self, request: Request, pk: Any) -> None:
        """Remove one row for good."""
        try:
            await self.client.ask(request, "DELETE", "/{id}", id=pk, query={"permanent": "true"})
        except ProblemError as error:
            raise ActionFailed(error.detail) from error
        flash(request, "The row was removed for good.", "success")

    async def _restore(self, request: Request, pks: Sequence[Any]) -> None:
        for done, pk in enumerate(pks):
            try:
                await self.client.ask(request, "POST", "/{id}/restore", id=pk)
            except ProblemError as error:
                raise ActionFailed(f"{done} restored; then, at {pk}: {error.detail}") from error
        flash(request, f"{len(pks)} restored.", "success")


def _imported(request: Request) -> Import | None:
    return getattr(request.state, "imported", None)


class _Conflict:
    """What an edit of a stale version would overwrite.

    Attributes:
        differences: label, what is stored by now, what the form says.
        version: that is stored by now.
    """

    def __init__(self, differences: list[tuple[str, object, object]], stored: Row) -> None:
        self.differences = differences
        self.version = stored.values.get("version")
