"""Declaring jobs and asking for them: what can't work is said at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from colonnade import Base, Database, DeclarationError, Job, JobRun, job, job_table
from colonnade.models.mixins import uuid7

pytestmark = pytest.mark.anyio


@job
async def greet(run: JobRun, name: str, *, loud: bool = False) -> str:
    """Greet somebody."""
    return f"Hello {name}{'!' * loud}"


@job(name="typed", retries=2, timeout=5)
async def typed(run: JobRun, id: UUID, day: date, price: Decimal) -> list[str]:
    """Tell what kinds of values came."""
    return [type(value).__name__ for value in (id, day, price)]


@job
def in_a_thread(run: JobRun, /, **words: str) -> str:
    """Join the words."""
    return " ".join(f"{key}={value}" for key, value in words.items())


def run_of(one: Job[...]) -> JobRun:
    """Make an attempt."""
    return JobRun(uuid7(), one.name, 1, Database("sqlite://"))


def test_a_job_has_a_name_retries_and_a_timeout() -> None:
    """Each has a default, the timeout for asynchronous functions only."""
    assert (greet.name, greet.retries, greet.timeout) == ("tests.unit.test_job.greet", 5, 60)
    assert (typed.name, typed.retries, typed.timeout) == ("typed", 2, 5)
    assert in_a_thread.timeout is None


async def test_arguments_go_by_name_and_come_back_by_their_types() -> None:
    """They are JSON in the row; the function's annotations make of them what they were."""
    assert greet.request("Ada", loud=True).arguments == {"name": "Ada", "loud": True}
    given = typed.request(uuid7(), date(2026, 11, 20), Decimal("19.90"))
    assert [type(value) for value in given.arguments.values()] == [str, str, str]
    assert await typed.perform(run_of(typed), given.arguments) == ["UUID", "date", "Decimal"]


async def test_a_sync_function_takes_any_words_in_a_thread() -> None:
    """`**words` takes arguments by whatever name."""
    request = in_a_thread.request(a="1", words="2")
    assert request.arguments == {"a": "1", "words": "2"}
    assert await in_a_thread.perform(run_of(in_a_thread), request.arguments) == "a=1 words=2"


@pytest.mark.parametrize("arguments", [{}, {"name": "Ada", "quiet": True}, {"name": object()}])
def test_arguments_that_do_not_fit_are_told_at_once(arguments: dict[str, Any]) -> None:
    """Whoever asks is told, not the worker."""
    with pytest.raises(DeclarationError, match="greet"):
        greet.request(**arguments)


def test_a_key_has_a_length() -> None:
    """One that no column holds is refused."""
    assert greet.request("Ada").once("greet-1").key == "greet-1"
    for key in ("", "k" * 201):
        with pytest.raises(DeclarationError, match="1 to 200"):
            greet.request("Ada").once(key)


def test_a_schedule_tells_its_next_time() -> None:
    """Cron, in UTC."""
    nightly = job(cron="30 3 * * *")(in_a_thread.function)
    assert nightly.next_time(datetime(2026, 11, 20, 3, 30, tzinfo=UTC)) == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
    assert greet.next_time(datetime(2026, 11, 20, tzinfo=UTC)) is None


async def _with_stars(run: JobRun, *words: str) -> None: ...


async def _with_an_argument(run: JobRun, id: int) -> None: ...


async def _without_a_run() -> None: ...


def _sync(run: JobRun) -> None: ...


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: job(_without_a_run), "first parameter"),  # type: ignore[arg-type]  # that is the mistake
        (lambda: job(_with_stars), "have names"),
        (lambda: job(timeout=5)(_sync), "can't be stopped"),
        (lambda: job(retries=-1)(_sync), "negative"),
        (lambda: job(name="n" * 101)(_sync), "longer"),
        (lambda: job(cron="every day")(_sync), "cron 'every day'"),
        (lambda: job(cron="* * * * *")(_with_an_argument), "give them defaults"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(declare: Callable[[], object], told: str) -> None:
    """The text says what to mend."""
    with pytest.raises(DeclarationError, match=told):
        declare()


def test_the_table_is_declared_once() -> None:
    """Twice is the same table; an application's own `jobs` is told."""
    metadata = sa.MetaData()
    assert job_table(metadata) is job_table(metadata)
    own = sa.MetaData()
    sa.Table("jobs", own, sa.Column("id", sa.Integer, primary_key=True))
    with pytest.raises(DeclarationError, match="'jobs' is declared already"):
        job_table(own)
    assert Base.metadata is not own
