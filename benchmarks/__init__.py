"""Colonnade beside its limit and its peers: `python -m benchmarks`, or `make bench`.

What is compared, how, and against which bar is told in `benchmarks/README.md`.
"""
