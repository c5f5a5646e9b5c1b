"""Whose an exception is: of the database, or of the application's own code that ran in the same block.

Drivers raise some errors bare: a connection that is refused or cut (`OSError`), a number that SQLite can't hold
(`OverflowError`). An application's hook raises the same kinds for reasons of its own, a file that is not there, a mail
server that is away, and those must be neither told as the database's nor tried again.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

_PLACES = ("sqlalchemy.engine.", "sqlalchemy.pool.", "sqlalchemy.dialects.")


class ApplicationError(Exception):
    """Carries what an application's code raised in the midst of a driver's, so that nothing there takes it for its own.

    Attributes:
        error: what it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def came_from_database(error: BaseException) -> bool:
    """Tell whether an exception that left a session is of the database: SQLAlchemy says so, or it came out of its engine.

    SQLAlchemy wraps the errors that a driver's own classes are for; the others pass through its engine, or the pool that
    opens connections, on their way out, and no code of an application's is called from there.
    """
    if isinstance(error, DBAPIError):
        return True
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith(_PLACES):
            return True
        trace = trace.tb_next
    return False
