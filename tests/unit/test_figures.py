"""Figures of several processes become one, and keep their meaning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from colonnade.core.measures import Histogram
from colonnade.observation.figures import Figure, Figures, exposition, together
from colonnade.observation.process_figures import process_figures
from colonnade.observation.workers import Workers


def durations(*seconds: float) -> Figure:
    """Make a figure of durations."""
    histogram = Histogram((0.1, 1.0))
    for value in seconds:
        histogram.observe(value)
    figure = Figure("took_seconds", "histogram", "Time.", bounds=(0.1, 1.0))
    figure.add_histogram(histogram)
    return figure


def text_of(*figures: Figure) -> list[str]:
    """Give the lines that Prometheus reads, without the remarks."""
    text, _ = exposition(figures, "")
    return [line for line in text.decode().splitlines() if not line.startswith("#")]


def test_durations_are_told_as_prometheus_counts_them() -> None:
    """S57: each class holds what is within its bound, those below included, and a bound belongs to its class."""
    assert text_of(durations(0.05, 0.1, 0.5, 7.0)) == [
        'took_seconds_bucket{le="0.1"} 2.0',
        'took_seconds_bucket{le="1.0"} 3.0',
        'took_seconds_bucket{le="+Inf"} 4.0',
        "took_seconds_count 4.0",
        "took_seconds_sum 7.65",
    ]


def test_figures_of_several_processes_are_added_up() -> None:
    """S57: counts and durations of the same name and labels become one, and the originals stay as they were."""
    one = Figure("sold", "counter", "Sold.", ("colour",), {("red",): 2, ("blue",): 1})
    other = Figure("sold", "counter", "Sold.", ("colour",), {("red",): 3})
    found = together([[one, durations(0.5)], [other, durations(0.05)]])
    assert text_of(found[0]) == ['sold_total{colour="red"} 5.0', 'sold_total{colour="blue"} 1.0']
    assert 'took_seconds_bucket{le="1.0"} 2.0' in text_of(found[1])
    assert one.values[("red",)] == 2


def test_openmetrics_is_told_to_who_accepts_it() -> None:
    """The media type is negotiated: Prometheus asks for OpenMetrics first."""
    text, media_type = exposition([durations()], "application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def _left_by(folder: Path, pid: int, *, ending: bool = False) -> None:
    """Leave the figures of another process: a counter and a gauge."""
    figures = Figures()
    figures.sources.append(
        lambda: [Figure("sold", "counter", "", (), {(): 4}), Figure("busy", "gauge", "", (), {(): 1})]
    )
    Workers(folder, figures).write(ending=ending)
    (folder / f"{os.getpid()}.json").rename(folder / f"{pid}.json")


def test_a_process_that_has_ended_still_counts(tmp_path: Path) -> None:
    """S57: a counter never goes back; what is true of the moment ends with its process, be it stopped or killed."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    _left_by(tmp_path, gone.pid)  # killed: it could not take its gauges back
    _left_by(tmp_path, os.getppid())
    _left_by(tmp_path, 1, ending=True)
    (tmp_path / "77.json").write_text("[")  # half a file counts for nothing
    found = {figure.name: figure.values[()] for figure in together(Workers(tmp_path, Figures()).others())}
    assert found == {"sold": 12, "busy": 1}


def test_one_process_leaves_nothing_behind(tmp_path: Path) -> None:
    """Without a folder nothing is written, and there are no others."""
    workers = Workers(None, Figures())
    workers.write()
    assert list(workers.others()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's memory and files like this")
def test_a_process_tells_its_memory_and_files() -> None:
    """What the process takes is told under the names that dashboards know."""
    found = {figure.name: figure.values[()] for figure in process_figures()}
    assert found["process_resident_memory_bytes"] > 1_000_000  # type: ignore[operator]  # a gauge is one number
    assert found["process_open_fds"] > 3  # type: ignore[operator]
