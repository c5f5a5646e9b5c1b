"""Several changes in one transaction, each of them by itself all or nothing: what group commit is made of.

Everything here blocks. A change is a sequence of statements; the result of each is its outcomes, or the error that it
alone met. Where the whole transaction is lost (a deferred foreign key that fails at COMMIT, a full disk, a statement
that overran), the changes are run again, each in a transaction of its own, so that only the guilty one fails.
"""

from __future__ import annotations

import copy
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from colonnade.database.driver import Follow, Outcome, Statement
from colonnade.database.sqlite.connection import is_busy, is_interrupted, patiently
from colonnade.database.sqlite.pace import Budget

Result = list[Outcome] | Exception


class Change(NamedTuple):
    """Statements, and what follows from them."""

    statements: Sequence[Statement]
    follow: Follow | None = None


class Undone(Exception):  # noqa: N818  (caught here and in the writer, never seen by a caller)
    """The transaction can't go on; every change in it has to be run again.

    Attributes:
        sql: text of the statement that ended it.
        reason: why.
    """

    def __init__(self, sql: str, reason: Exception) -> None:
        super().__init__(sql)
        self.sql = sql
        self.reason = reason


class Desk(NamedTuple):
    """Where changes are written: the one connection for that, its budget, and the patience with others' locks.

    Attributes:
        lock_timeout: seconds.
        time_limit: seconds that one transaction may run.
    """

    connection: sqlite3.Connection
    budget: Budget
    lock_timeout: float
    time_limit: float


def run_changes(
    desk: Desk, changes: Sequence[Change], restrict: Callable[[], None], until: float = math.inf
) -> list[Result]:
    """Run changes in the open transaction, each in a savepoint.

    Args:
        desk: where; in a transaction.
        changes: at least one.
        restrict: sets the budget of each change.
        until: time (`time.monotonic`) after which no further one is begun.

    Returns:
        The results of the changes that were run, in their order.

    Raises:
        Undone: see there; the transaction is over.
    """
    connection = desk.connection
    results: list[Result] = []
    is_alone = len(changes) == 1  # then the transaction itself is the savepoint
    for change in changes:
        if not is_alone:
            connection.execute("SAVEPOINT one_change")
        restrict()
        try:
            result = _run_change(connection, change)
        finally:
            desk.budget.lift()
        if isinstance(result, Exception):
            connection.execute("ROLLBACK" if is_alone else "ROLLBACK TO one_change")
        if not is_alone:
            connection.execute("RELEASE one_change")
        results.append(result)
        if time.monotonic() > until:
            break
    return results


def finish(desk: Desk, changes: Sequence[Change], results: list[Result]) -> list[Result]:
    """Commit; when COMMIT itself refuses, every change gets its error, or is run again by itself where that may help.

    Returns:
        The final results, in the order of the changes.
    """
    if not desk.connection.in_transaction:
        return results
    try:
        patiently(desk.connection, "COMMIT", desk.lock_timeout)
    except sqlite3.Error as error:
        roll_back(desk.connection)
        if len(changes) > 1 and isinstance(error, sqlite3.IntegrityError):
            return store_singly(desk, changes)
        return [result if isinstance(result, Exception) else copy.copy(error) for result in results]
    return results


def store(desk: Desk, changes: Sequence[Change]) -> list[Result]:
    """Run changes in one transaction and commit them.

    Args:
        desk: where; the transaction is begun here unless it is open, waiting for other processes' locks.
        changes: at least one.

    Returns:
        The final results, in the order of the changes.
    """
    try:
        if not desk.connection.in_transaction:
            patiently(desk.connection, "BEGIN IMMEDIATE", desk.lock_timeout)
        restrict = partial(desk.budget.limit, time.monotonic() + desk.time_limit)
        results = run_changes(desk, changes, restrict)
    except Undone as undone:
        return [undone.reason] if len(changes) == 1 else store_singly(desk, changes)
    except sqlite3.Error as error:
        roll_back(desk.connection)
        return [copy.copy(error) for _ in changes]
    return finish(desk, changes, results)


def store_singly(desk: Desk, changes: Sequence[Change]) -> list[Result]:
    """Store each change in a transaction of its own; the results are in the order of the changes."""
    return [store(desk, [change])[0] for change in changes]


def _run_change(connection: sqlite3.Connection, change: Change) -> Result:
    outcomes: list[Outcome] = []
    try:
        for statement in change.statements:
            outcomes.append(_run_statement(connection, statement))
        for statement in () if change.follow is None else change.follow(outcomes):
            outcomes.append(_run_statement(connection, statement))
    except Undone:
        raise
    except Exception as error:
        return error
    return outcomes


def _run_statement(connection: sqlite3.Connection, statement: Statement) -> Outcome:
    try:
        cursor = connection.execute(*statement)
        rows = cursor.fetchall()
    except Exception as error:
        # SQLite has rolled back everything on its own accord (a full disk, an interrupted change), or it has to be.
        if not connection.in_transaction or is_interrupted(error) or is_busy(error):
            roll_back(connection)
            raise Undone(statement.sql, error) from error
        raise
    return Outcome(rows, cursor.rowcount if cursor.rowcount >= 0 else len(rows))


def roll_back(connection: sqlite3.Connection) -> None:
    """End the transaction, if one is open, with nothing stored."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
