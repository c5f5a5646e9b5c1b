"""What a command says when it can't do its work: one line, and no trace where the cause is known."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb, print_exc

from colonnade.core.errors import ColonnadeError

# Looked up instead of imported: whoever raised such an error has imported its module, and --help has not. asyncpg's
# own errors, and the loop's, come past SQLAlchemy unwrapped while a connection is made.
_DATABASE = (("sqlalchemy.exc", "DBAPIError"), ("asyncpg.exceptions", "PostgresError"))
_MIGRATIONS = (("alembic.util.exc", "CommandError"),)
_UNREACHABLE = (ConnectionError, TimeoutError, socket.gaierror)


class CommandError(Exception):
    """The command can't be done; the text is one line that says why and what to do."""


def told(error: Exception) -> str | None:
    """Give the line for an error that a user can mend; None for a fault of the program, which needs its traceback."""
    if isinstance(error, (CommandError, ColonnadeError, *_imported(_MIGRATIONS))):
        return _one_line(error)
    if isinstance(error, _UNREACHABLE):
        return f"the database can't be reached: {_one_line(error)}"
    if isinstance(error, _imported(_DATABASE)):
        return f"the database says: {_one_line(getattr(error, 'orig', None) or error)}"
    return None


@contextmanager
def in_one_line(folder: Path, *, verbose: bool) -> Iterator[None]:
    """Tell what goes wrong in migrations in one line that names the file: they are the user's own program.

    Args:
        folder: of the migrations.
        verbose: print the traceback before the line.

    Raises:
        CommandError: the line.
    """
    try:
        yield
    except Exception as error:
        if verbose:
            print_exc()
        line, folder = told(error), folder.absolute()
        # What is known by itself has a place only where a migration did it: env.py is on the way of everything.
        place = _place(error, folder if line is None else folder / "versions")
        if line is not None and (place is None or isinstance(error, ColonnadeError)):
            raise
        fault = line or f"{type(error).__name__}: {_one_line(error)}"
        hint = "" if verbose else " (--verbose shows the way there)"
        raise CommandError(f"{place}: {fault}{hint}" if place else f"{fault}{hint}") from error


def _place(error: Exception, folder: Path) -> str | None:
    """Give the file below a folder, and its line, where an error comes from."""
    found = [(frame.filename, frame.lineno) for frame in extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        found.append((error.filename, error.lineno))
    own = [(Path(name), line) for name, line in found if Path(name).is_relative_to(folder)]
    return f"{own[-1][0].name}, line {own[-1][1]}" if own else None


def _imported(classes: tuple[tuple[str, str], ...]) -> tuple[type[BaseException], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in classes if module in sys.modules)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
