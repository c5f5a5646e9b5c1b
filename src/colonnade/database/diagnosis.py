"""What a database's refusal means, free of the driver that worded it, and the problem that a client is told."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import sqlalchemy as sa

from colonnade.core.errors import (
    CheckError,
    ContentionError,
    DatabaseAwayError,
    Fault,
    ForeignKeyError,
    InvalidBodyError,
    OutcomeUnknownError,
    PoolExhaustedError,
    ProblemError,
    RequiredError,
    StatementTimeoutError,
    UniqueError,
)
from colonnade.models.facts import attribute_of, constraint_columns

Columns: TypeAlias = "tuple[str, ...]"


class Cause(enum.Enum):
    """Why a statement failed."""

    UNIQUE = "unique"
    REFERENCE_MISSING = "reference_missing"
    STILL_REFERENCED = "still_referenced"
    REFERENCE = "reference"
    CHECK = "check"
    NOT_NULL = "not_null"
    MISFIT = "misfit"
    CONTENTION = "contention"
    TIMEOUT = "timeout"
    AWAY = "away"
    LOST = "lost"
    """As AWAY, but the connection ended without a word of the server on what became of the statement."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A driver's error, read by its code.

    Attributes:
        cause: what happened.
        constraint: the violated constraint's name, where the driver tells it.
        columns: the columns' names in the database, where it tells those.
    """

    cause: Cause
    constraint: str | None = None
    columns: tuple[str, ...] = ()


@cache
def _constraints(metadata: sa.MetaData) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for table in metadata.tables.values():
        found.update(constraint_columns(table))
    return found


@cache
def _attributes(metadata: sa.MetaData) -> dict[str, str]:
    """Map columns' names to attributes, but for a name that means different ones in different tables."""
    found: dict[str, set[str]] = defaultdict(set)
    for table in metadata.tables.values():
        for column in table.columns:
            # What marks rows that are not deleted belongs to a unique index, and is nothing that a client knows.
            found[column.name].add("" if column.info.get("mark") else attribute_of(column))
    return {name: attributes.pop() for name, attributes in found.items() if len(attributes) == 1}


def explain(diagnosis: Diagnosis, metadata: sa.MetaData | None = None) -> ProblemError:
    """Make the problem of a diagnosis; the columns' names come from the driver or from the constraint's declaration.

    Args:
        diagnosis: what the dialect's module read.
        metadata: where constraints are declared.
    """
    columns = diagnosis.columns
    if metadata is not None:
        attributes = _attributes(metadata)
        columns = tuple(name for column in columns if (name := attributes.get(column, column)))
        if not columns and diagnosis.constraint:
            columns = _constraints(metadata).get(diagnosis.constraint, ())
    return _PROBLEMS[diagnosis.cause](columns)


def _unique(columns: Columns) -> ProblemError:
    text = f"Another row has the same {_named(columns) or 'unique value'}."
    return UniqueError(text, faults=_faults("taken", "Already taken.", columns))


def _reference_missing(columns: Columns) -> ProblemError:
    text = f"There is no row that {_named(columns) or 'a foreign key'} refers to."
    return ForeignKeyError(text, faults=_faults("reference_missing", "No such row.", columns))


def _still_referenced(columns: Columns) -> ProblemError:
    return ForeignKeyError("Other rows still refer to this one; delete or change them first.")


def _check(columns: Columns) -> ProblemError:
    text = f"The value of {_named(columns) or 'a field'} breaks a rule of the table."
    return CheckError(text, faults=_faults("check_failed", "Breaks a rule of the table.", columns))


def _not_null(columns: Columns) -> ProblemError:
    text = f"{_named(columns) or 'A field'} must have a value."
    return RequiredError(text, faults=_faults("required", "Needed.", columns))


def _misfit(columns: Columns) -> ProblemError:
    which = "A value" if columns else "A value, of which the database does not tell,"
    return InvalidBodyError(f"{which} does not fit its column.", faults=_faults("misfit", "Does not fit.", columns))


def _contention(columns: Columns) -> ProblemError:
    return ContentionError("Other requests changed the same rows at the same moment, again and again.")


def _timeout(columns: Columns) -> ProblemError:
    return StatementTimeoutError("The database took too long, and the statement was cancelled.")


def _away(columns: Columns) -> ProblemError:
    return DatabaseAwayError("The database can't be reached at the moment.")


_PROBLEMS: Mapping[Cause, Callable[[Columns], ProblemError]] = {
    Cause.UNIQUE: _unique,
    Cause.REFERENCE: _reference_missing,
    Cause.REFERENCE_MISSING: _reference_missing,
    Cause.STILL_REFERENCED: _still_referenced,
    Cause.CHECK: _check,
    Cause.NOT_NULL: _not_null,
    Cause.MISFIT: _misfit,
    Cause.CONTENTION: _contention,
    Cause.TIMEOUT: _timeout,
    Cause.AWAY: _away,
    Cause.LOST: _away,
}


def outcome_unknown() -> OutcomeUnknownError:
    """Make the problem of a connection that was lost while a COMMIT was under way."""
    return OutcomeUnknownError("The connection to the database was lost while the change was being stored.")


def _named(columns: Columns) -> str:
    return " and ".join(f"'{column}'" for column in columns)


def _faults(code: str, message: str, columns: Columns) -> list[Fault]:
    return [Fault(code, message, pointer=f"/{column}") for column in columns]


def pool_exhausted() -> PoolExhaustedError:
    """Make the problem of a pool whose connections were all busy for `POOL_TIMEOUT`."""
    return PoolExhaustedError("Every database connection is busy; send the request again in a moment.")
