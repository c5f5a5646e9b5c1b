"""Sessions in which softly deleted rows are hidden, unless a statement says that it wants them.

Hooks and endpoints of an application write plain `select(User)`; that must not find whom nobody else sees. A statement with
`execution_options(with_deleted=True)` finds them
(https://docs.sqlalchemy.org/en/20/orm/session_events.html#adding-global-where-on-criteria).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from colonnade.models.mixins import SoftDelete


class HidingSession(Session):
    """A session whose reads leave out what is deleted softly; relations that are loaded along do too."""


def _is_alive(model: Any) -> sa.ColumnElement[bool]:
    alive: sa.ColumnElement[bool] = sa.not_(model.is_deleted)
    return alive


@event.listens_for(HidingSession, "do_orm_execute")
def _hide(state: ORMExecuteState) -> None:
    # What is refreshed or loaded lazily was found by a statement that this has been through.
    if (
        SoftDelete.__subclasses__()
        and state.is_select
        and not (state.is_column_load or state.is_relationship_load)
        and not state.execution_options.get("with_deleted")
    ):
        state.statement = state.statement.options(
            with_loader_criteria(SoftDelete, _is_alive, include_aliases=True, track_closure_variables=False)
        )
