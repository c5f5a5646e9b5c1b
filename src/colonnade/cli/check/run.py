"""Running the checks, and telling what they found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from colonnade.cli.application import find
from colonnade.cli.check.application import check_access, check_indexes, check_jobs, check_links
from colonnade.cli.check.tables import check_tables
from colonnade.cli.showing import show_table
from colonnade.core.deployment import check_deployment, refusals
from colonnade.core.finding import Finding
from colonnade.core.settings import Settings, SettingsError, load_settings


def check(reference: str, folder: Path, *, deploy: bool) -> bool:
    """Print what is not as it should be; True when there is nothing that must be mended.

    Args:
        reference: the application, e.g. `app.main:app`.
        folder: of the migrations.
        deploy: look at the settings too, as if they were production's.
    """
    findings = sorted(_findings(reference, folder, deploy=deploy), key=lambda finding: finding.is_hint)
    if findings:
        rows = [("hint" if one.is_hint else "mend", one.place, one.what, one.remedy) for one in findings]
        show_table(("", "where", "what", "what to do"), rows)
    to_mend = sum(not finding.is_hint for finding in findings)
    hints = len(findings) - to_mend
    print(f"{to_mend} to mend, {hints} hint{'s' * (hints != 1)}" if findings else "nothing found")
    return not to_mend


def _findings(reference: str, folder: Path, *, deploy: bool) -> Iterator[Finding]:
    try:
        settings = load_settings(Settings)
    except SettingsError:
        if not deploy:
            raise
        yield from refusals()  # an application that can't read its settings can't be looked at
        return
    if deploy:
        yield from check_deployment(settings)
    app = find(reference)
    if deploy:
        yield from check_access(app)
        yield from check_links(app)
    if deploy and getattr(app, "debug", False):
        yield Finding("debug", "shows every traceback to whoever asks", "leave debug out of create_app(...)")
    yield from check_jobs(app)
    yield from check_indexes(app)
    yield from check_tables(settings, folder)
