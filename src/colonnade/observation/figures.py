"""Figures of one process, of several together, and as Prometheus reads them.

Nothing is counted here. Whoever has something to tell adds a source, which is asked when somebody looks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from colonnade.core.measures import Histogram

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Labels: TypeAlias = "tuple[str, ...]"
Value: TypeAlias = "float | list[float]"
"""One number; of a histogram the count of each class, not added up, and then the sum."""


@dataclass(slots=True)
class Figure:
    """One figure, once for each combination of its labels.

    Attributes:
        name: in Prometheus' way: prefix, what, unit; a counter's without `_total`.
        kind: what may be done with it.
        help: one sentence.
        labels: their names.
        values: by the labels' values.
        bounds: of a histogram, the upper bounds of its classes.
    """

    name: str
    kind: Kind
    help: str
    labels: Labels = ()
    values: dict[Labels, Value] = field(default_factory=dict)
    bounds: Sequence[float] = ()

    def add(self, value: Value, *labels: str) -> None:
        """Add to what there is for these labels."""
        there = self.values.get(labels)
        if isinstance(value, list):
            old = there if isinstance(there, list) else [0.0] * len(value)
            self.values[labels] = [a + b for a, b in zip(old, value, strict=True)]
        else:
            self.values[labels] = value + (there if isinstance(there, (int, float)) else 0)

    def add_histogram(self, histogram: Histogram, *labels: str) -> None:
        """Add durations to what there is for these labels."""
        self.add([*histogram.counts, histogram.total], *labels)


Source = Callable[[], Iterable[Figure]]
SharedSource = Callable[[], Awaitable[Iterable[Figure]]]


class Figures:
    """Where an application's figures come from.

    Attributes:
        sources: of this process; several processes' are added up.
        shared: of what all processes share, a table of jobs for one; the process that is asked answers for all.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.shared: list[SharedSource] = []

    def own(self) -> list[Figure]:
        """Give the figures of this process."""
        return [figure for source in self.sources for figure in source()]

    async def common(self) -> list[Figure]:
        """Give the figures of what all processes share; one that can't be had just now is left out."""
        found: list[Figure] = []
        for source in self.shared:
            try:
                found.extend(await source())
            except Exception:  # noqa: S112  # the others are wanted all the more when the database is away
                continue
        return found


def together(several: Iterable[Iterable[Figure]]) -> list[Figure]:
    """Add up the figures of several processes."""
    found: dict[str, Figure] = {}
    for figures in several:
        for figure in figures:
            known = found.setdefault(
                figure.name, Figure(figure.name, figure.kind, figure.help, figure.labels, {}, figure.bounds)
            )
            for labels, value in figure.values.items():
                known.add(value, *labels)
    return list(found.values())


def exposition(figures: Iterable[Figure], accept: str) -> tuple[bytes, str]:
    """Write figures as Prometheus reads them, or as OpenMetrics where that is accepted.

    Returns:
        The text, and its media type.
    """
    registry = CollectorRegistry()
    registry.register(_Collected(list(figures)))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collected:
    """A collector of what has been collected."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figure in self._figures:
            yield _family(figure)


def _family(figure: Figure) -> Metric:
    family: Any
    if figure.kind == "histogram":
        family = HistogramMetricFamily(figure.name, figure.help, labels=figure.labels)
        for labels, value in figure.values.items():
            assert isinstance(value, list)  # as `Value` says
            family.add_metric(labels, buckets=_cumulative(figure.bounds, value), sum_value=value[-1])
    else:
        family = (CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily)(
            figure.name, figure.help, labels=figure.labels
        )
        for labels, value in figure.values.items():
            family.add_metric(labels, value)
    return family  # type: ignore[no-any-return]  # one of the three


def _cumulative(bounds: Sequence[float], counted: list[float]) -> list[tuple[str, float]]:
    """Give each class's bound and how many are within it, the last class being without a bound."""
    found, within = [], 0.0
    for bound, count in zip([*(str(float(b)) for b in bounds), "+Inf"], counted[:-1], strict=True):
        within += count
        found.append((bound, within))
    return found
