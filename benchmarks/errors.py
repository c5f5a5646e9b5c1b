"""What ends a benchmark with exit code 1."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A server failed, answered wrongly or lost a change: its figures would mean nothing."""
