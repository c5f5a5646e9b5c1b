"""What a command says when it can't do its work: one line, and no trace where the cause is known."""

from __future__ import annotations

import socket
import sys

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


def _imported(classes: tuple[tuple[str, str], ...]) -> tuple[type[BaseException], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in classes if module in sys.modules)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
