"""The table of jobs: work that was asked for, each a row in the transaction of whoever asked."""

from __future__ import annotations

import enum

import sqlalchemy as sa

from colonnade.core.errors import DeclarationError
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.types import JsonDocument, UTCDateTime, value_enum

TABLE = "jobs"
MAX_NAME = 100
MAX_KEY = 200
MAX_ERROR = 500


class JobState(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """Given up after its last attempt; kept until somebody looks at it."""


def job_table(metadata: sa.MetaData) -> sa.Table:
    """Declare the table among an application's own, so that `create_all` and its migrations make it.

    Call it beside the models, where a migration's `env.py` imports it.

    Args:
        metadata: of the models whose changes ask for jobs: a job is stored in their database.

    Raises:
        DeclarationError: the application has a table `jobs` of its own.
    """
    if TABLE in metadata.tables:
        if "due_at" not in metadata.tables[TABLE].columns:
            raise DeclarationError(f"a table '{TABLE}' is declared already, and it is not the one of colonnade's jobs")
        return metadata.tables[TABLE]
    return sa.Table(
        TABLE,
        metadata,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(MAX_NAME), nullable=False),
        # Taken away when the job is done: nothing needs them any more, and a mailed link may stand in them.
        sa.Column("arguments", JsonDocument, nullable=False),
        sa.Column("state", value_enum(JobState), nullable=False),
        # When a worker may take it: its time to run, or while it runs the end of its worker's lease; NULL once it is
        # over. One indexed column answers both "what is due" and "whose worker was lost".
        sa.Column("due_at", UTCDateTime(), index=True),
        # Unique as long as it stands here: taken away when the job is over, and NULLs differ from each other.
        sa.Column("key", sa.String(MAX_KEY), unique=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("error", sa.String(MAX_ERROR)),
        sa.Column("result", JsonDocument),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime()),
        # Counts what waits, and finds what was done long ago.
        sa.Index(None, "state", "finished_at"),
    )


JOBS = job_table(sa.MetaData(naming_convention=NAMING_CONVENTION))
"""The same table for statements, whichever application's metadata it was declared in."""
