"""`python -m benchmarks`: measure, print the figures and the bars.

Exits 0 also when a bar is missed; 1 when a server failed, answered wrongly or lost a change.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from rich.console import Console

from benchmarks import generator
from benchmarks.bars import DIALECTS, Results
from benchmarks.contenders import reference_exists
from benchmarks.databases import database
from benchmarks.errors import BenchmarkError
from benchmarks.report import markdown, print_bars, print_rates
from benchmarks.turns import measure
from benchmarks.workloads import CONNECTIONS, Pace

# Runnable processes in the last minute: above this, somebody else takes part in the measurement.
_QUIET = 0.7


def main() -> int:
    """Run the benchmark as the command line asks; the exit code."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    # With --markdown standard output carries the table alone.
    console = Console(stderr=options.markdown)
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    pace = Pace(rounds, seconds, 1, options.threads)
    if (busy := os.getloadavg()[0]) > _QUIET:
        console.print(f"[yellow]this machine is busy already (load average {busy:.1f}): expect noise[/yellow]")
    try:
        measured = [_measure(console, dialect, pace) for dialect in options.only]
    except BenchmarkError as error:
        console.print(f"[red]benchmark stopped:[/red] {error}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("benchmark interrupted; every server it started has been stopped")
        return 130
    print_bars(console, measured)
    if options.markdown:
        print(markdown(measured))
    return 0


def _measure(console: Console, dialect: str, pace: Pace) -> Results:
    console.print(
        f"{DIALECTS[dialect]}: {generator.name()}, {CONNECTIONS} connections, one worker each, "
        f"{pace.rounds} x {pace.seconds:g} s in turn, durable writes"
    )
    if not reference_exists():
        console.print("Colonnade is left out: app/main.py does not exist yet")
    with database(dialect) as url:
        # Plain lines: a spinner would take processor time from what is measured.
        results = measure(url, pace, lambda line: console.print(f"  {line}", highlight=False, style="dim"))
    print_rates(console, results)
    return results


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of one second: a look, not a measurement")
    parser.add_argument("--only", choices=sorted(DIALECTS), action="append", help="this database alone")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every contender (3)")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of every turn (5)")
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1, help="threads of wrk (1)")
    parser.add_argument("--markdown", action="store_true", help="print the README's table on standard output")
    options = parser.parse_args()
    options.only = options.only or list(DIALECTS)
    return options


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
