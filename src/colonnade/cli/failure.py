"""What a command says when it can't do its work: one line, and no trace where the cause is known."""

from __future__ import annotations

import sys

from colonnade.core.errors import ColonnadeError


class CommandError(Exception):
    """The command can't be done; the text is one line that says why and what to do."""


def told(error: Exception) -> str | None:
    """Give the line for an error that a user can mend; None for a fault of the program, which needs its traceback."""
    if isinstance(error, CommandError | ColonnadeError):
        return _one_line(error)
    # Looked up instead of imported: whoever raised such an error has imported its module, and --help has not.
    sqlalchemy = sys.modules.get("sqlalchemy.exc")
    if sqlalchemy is not None and isinstance(error, sqlalchemy.DBAPIError):
        return f"the database says: {_one_line(error.orig or error)}"
    alembic = sys.modules.get("alembic.util.exc")
    if alembic is not None and isinstance(error, alembic.CommandError):
        return _one_line(error)
    # A refused connection comes from the loop as a bare OSError, not wrapped by the driver.
    return f"the database can't be reached: {_one_line(error)}" if isinstance(error, ConnectionError) else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
