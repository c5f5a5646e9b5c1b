"""The figures as tables: in colour on a terminal, in Markdown for the README."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.bars import DIALECTS, Results, Verdict, verdicts
from benchmarks.contenders import contenders
from benchmarks.workloads import TITLES, WORKLOADS


def print_rates(console: Console, results: Results) -> None:
    """Requests a second, the ratio to the limit and the 99th percentile of everybody."""
    table = Table(title=f"{DIALECTS[results.dialect]}: requests a second (ratio to the limit), 99th percentile in ms")
    table.add_column("")
    for workload in WORKLOADS:
        table.add_column(TITLES[workload], justify="right", no_wrap=True)
    for contender in contenders(results.dialect):
        style = "bold" if contender.name == "colonnade" else None
        cells = [_cell(results, contender.name, workload) for workload in WORKLOADS]
        table.add_row(contender.label, *cells, style=style)
    console.print(table)


def print_bars(console: Console, measured: Iterable[Results]) -> None:
    """Each bar, what was measured, and whether it is met."""
    table = Table("bar", "at least", "measured", "", title="The bar")
    for verdict in _all_verdicts(measured):
        table.add_row(verdict.what, verdict.required, verdict.measured or "-", _mark(verdict))
    console.print(table)


def markdown(measured: Sequence[Results]) -> str:
    """The README's table: rates and ratios of every contender, then the memory."""
    lines = []
    for results in measured:
        heads = [f"{DIALECTS[results.dialect]}, requests a second", *(TITLES[workload] for workload in WORKLOADS)]
        lines += [_line(heads), _line(["---"] + ["---:"] * len(WORKLOADS))]
        for contender in contenders(results.dialect):
            cells = [_short(results, contender.name, workload) for workload in WORKLOADS]
            lines.append(_line([contender.label, *cells]))
        if results.memory_mib is not None:
            lines += ["", f"Memory of Colonnade's worker after the run: {results.memory_mib:.0f} MiB."]
        lines.append("")
    return "\n".join(lines)


def _all_verdicts(measured: Iterable[Results]) -> Iterator[Verdict]:
    for results in measured:
        yield from verdicts(results)


def _mark(verdict: Verdict) -> str:
    if verdict.measured is None:
        return "[dim]not measured[/dim]"
    return "[green]met[/green]" if verdict.met else "[red]missed[/red]"


def _cell(results: Results, contender: str, workload: str) -> str:
    p99 = results.p99_ms(contender, workload)
    return "-" if p99 is None else f"{_short(results, contender, workload)} {p99:,.1f}"


def _short(results: Results, contender: str, workload: str) -> str:
    rate, ratio = results.rate(contender, workload), results.ratio(contender, "limit", workload)
    return "-" if rate is None or ratio is None else f"{rate:,.0f} ({ratio:.3f})"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
