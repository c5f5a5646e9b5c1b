"""Finding what a command works on: an attribute of a module, looked for in the current folder first."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from colonnade.cli.failure import CommandError


def find(reference: str, option: str = "--app") -> Any:
    """Import `module:attribute`, with the current folder on the path.

    Args:
        reference: e.g. `app.main:app`.
        option: of the command line, which names another.

    Returns:
        The attribute.

    Raises:
        CommandError: the reference is malformed, or there is no such module or attribute.
    """
    module_name, separator, attribute = reference.partition(":")
    if not (module_name and separator and attribute):
        raise CommandError(f"{reference!r} is no reference; write module:attribute, e.g. app.main:app")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that is missing inside the application is the application's own fault and keeps its traceback.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise CommandError(
            f"no module {error.name!r} in {Path.cwd()}; name another with {option} module:attribute"
        ) from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise CommandError(f"the module {module_name!r} has no {attribute!r}") from None
