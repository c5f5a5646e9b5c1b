"""Reading SQLite's errors: the code tells the cause, only the text tells the columns."""

from __future__ import annotations

import re
import sqlite3

from colonnade.database.diagnosis import Cause, Diagnosis

_CAUSES = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: Cause.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Cause.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_ROWID: Cause.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: Cause.REFERENCE,
    sqlite3.SQLITE_CONSTRAINT_CHECK: Cause.CHECK,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: Cause.NOT_NULL,
    sqlite3.SQLITE_TOOBIG: Cause.MISFIT,
    sqlite3.SQLITE_MISMATCH: Cause.MISFIT,
    sqlite3.SQLITE_BUSY_SNAPSHOT: Cause.CONTENTION,
    # The wait for a lock has its own limit of seconds, and was worth it once.
    sqlite3.SQLITE_BUSY: Cause.TIMEOUT,
    sqlite3.SQLITE_LOCKED: Cause.TIMEOUT,
    sqlite3.SQLITE_PROTOCOL: Cause.TIMEOUT,
    sqlite3.SQLITE_INTERRUPT: Cause.TIMEOUT,
    sqlite3.SQLITE_READONLY: Cause.AWAY,
    sqlite3.SQLITE_CANTOPEN: Cause.AWAY,
    sqlite3.SQLITE_IOERR: Cause.AWAY,
    sqlite3.SQLITE_FULL: Cause.AWAY,
}
"""Result code -> cause (https://www.sqlite.org/rescode.html); an extended code stands for itself before its family."""

_FAMILY = 0xFF
_SUBJECT = re.compile(r"constraint failed: (.+)$")
_COLUMN = re.compile(r"[^.,\s]+\.([^.,\s]+)")


def diagnose(error: BaseException) -> Diagnosis | None:
    """Read an error of `sqlite3`; None for one that is nobody's but ours."""
    if isinstance(error, OverflowError | UnicodeEncodeError):
        return Diagnosis(Cause.MISFIT)
    code = getattr(error, "sqlite_errorcode", 0) if isinstance(error, sqlite3.Error) else 0
    cause = _CAUSES.get(code) or _CAUSES.get(code & _FAMILY)
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER and str(error).startswith("FOREIGN KEY"):
        cause = Cause.STILL_REFERENCED  # ON DELETE RESTRICT is made of a trigger; a user's own says something else
    if cause is None:
        return None
    subject = found[1] if (found := _SUBJECT.search(str(error))) else ""
    # `UNIQUE constraint failed: users.email`, but `CHECK constraint failed: ck_users_age` and `index 'uq_users_email'`.
    columns = tuple(_COLUMN.findall(subject))
    return Diagnosis(cause, None if columns else subject.removeprefix("index ").strip("'") or None, columns)
