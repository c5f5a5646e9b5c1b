"""Seeing what an application does: log lines, figures for Prometheus, slow statements and their plans."""
