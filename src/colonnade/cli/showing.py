"""Looking at an application: its routes and its settings, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from colonnade.cli.application import find
from colonnade.core.settings import Settings


def show_settings(settings: Settings) -> None:
    """Print each setting and its value, secrets hidden."""
    show_table(("setting", "value"), settings.shown().items())


def show_routes(reference: str) -> None:
    """Print each of an application's routes once, in the order in which they are tried."""
    show_table(("method", "path", "name", "also at"), route_rows(find(reference)))


def route_rows(application: Any) -> Iterator[tuple[str, str, str, str]]:
    """Give method, path and name of each route, and its further paths: `/api/users` is `/api/v1/users` again.

    HEAD and OPTIONS are everywhere and left out.
    """
    from fastapi.routing import RouteContext, iter_route_contexts

    places: dict[int, list[RouteContext]] = {}
    for context in iter_route_contexts(application.routes):
        places.setdefault(id(context.original_route), []).append(context)
    for first, *others in places.values():
        methods = sorted(set(first.methods or ()) - {"HEAD", "OPTIONS"})
        if methods or not first.methods:
            yield ",".join(methods), first.path or "", first.name or "", " ".join(one.path or "" for one in others)


def show_table(head: tuple[str, ...], rows: Any) -> None:
    """Print rows of texts below a head: a table on a terminal, elsewhere tab-separated lines without the head."""
    # Through a pipe, tab-separated lines that a script can read; wrapped cells are for people only.
    console = Console()
    if not console.is_terminal:
        for row in rows:
            print("\t".join(row))
        return
    table = Table(*head, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
