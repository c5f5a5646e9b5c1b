"""The classic mistakes with sessions, and what mends each: said beside the traceback in the log (S59)."""

from __future__ import annotations

from sqlalchemy import exc
from sqlalchemy.orm import exc as orm_exc

_ADVICE: tuple[tuple[type[BaseException], str], ...] = (
    (
        exc.MissingGreenlet,
        "A relation or column was loaded lazily, which async code can't; load it along: "
        "select(...).options(selectinload(Model.relation)), or await session.refresh(row, ['relation']).",
    ),
    (
        orm_exc.DetachedInstanceError,
        "The row outlived its session; load what is needed before the session closes, or answer a schema made of it.",
    ),
    (
        exc.PendingRollbackError,
        "A statement failed earlier and the session waits for its rollback; await session.rollback(), or put what may "
        "fail into `async with session.begin_nested():`.",
    ),
    (
        exc.UnboundExecutionError,
        "The session has no database; take it from get_db, database.session() or database.unit_of_work().",
    ),
    (
        exc.IllegalStateChangeError,
        "Two tasks use one session at the same time; give each task of a gather() a session of its own.",
    ),
    (
        exc.ResourceClosedError,
        "A connection or result was used after it was closed; read the rows before the block ends.",
    ),
)


def advice(error: BaseException) -> str | None:
    """Say what usually mends an error that SQLAlchemy raises on a mistake in the application; None of any other."""
    return next((told for kind, told in _ADVICE if isinstance(error, kind)), None)
