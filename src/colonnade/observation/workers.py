"""Several processes, one application: each leaves its figures where the others find them.

A scrape meets one worker of many. Each worker writes its figures to a file of its own in a folder that all share, once a
second; whoever is scraped adds the others' files to its own figures. A request pays nothing for
it, and what a worker that has ended had counted still counts, as a counter must never go back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from colonnade.observation.figures import Figure, Figures, Kind

PERIOD = 1.0
"""Seconds between two writings."""


class Workers:
    """The figures of this process and of its siblings.

    Args:
        folder: what the processes share; None where there is one process only.
        figures: of this process.
    """

    def __init__(self, folder: Path | None, figures: Figures) -> None:
        self._folder = folder
        self._figures = figures

    def write(self, *, ending: bool = False) -> None:
        """Leave this process's figures for the others.

        Args:
            ending: the process ends, and its gauges with it.
        """
        if self._folder is None:
            return
        found = [figure for figure in self._figures.own() if not (ending and figure.kind == "gauge")]
        file = self._folder / f"{os.getpid()}.json"
        fresh = file.with_suffix(".new")
        with suppress(OSError):  # the folder is gone when the parent has ended first
            fresh.write_bytes(orjson.dumps([_as_list(figure) for figure in found]))
            fresh.replace(file)

    async def keep_writing(self) -> None:
        """Write again and again, until cancelled."""
        while self._folder is not None:
            self.write()
            await asyncio.sleep(PERIOD)

    def others(self) -> Iterator[list[Figure]]:
        """Give the figures of each other process, those that have ended included."""
        if self._folder is None:
            return
        for file in self._folder.glob("*.json"):
            if int(file.stem) != os.getpid():
                with suppress(OSError, ValueError):
                    figures = [_figure(*item) for item in orjson.loads(file.read_bytes())]
                    yield [figure for figure in figures if figure.kind != "gauge" or _is_alive(int(file.stem))]


def _as_list(figure: Figure) -> list[object]:
    values = [[list(labels), value] for labels, value in figure.values.items()]
    return [figure.name, figure.kind, figure.help, list(figure.labels), values, list(figure.bounds)]


def _figure(name: str, kind: Kind, told: str, labels: list[str], *rest: list[Any]) -> Figure:
    values, bounds = rest
    return Figure(name, kind, told, tuple(labels), {tuple(key): value for key, value in values}, bounds)


def _is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that was killed could not say goodbye to its gauges."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
