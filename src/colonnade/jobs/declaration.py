"""Declaring a job: a function, how often and how long it is tried, and when it runs by itself."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, overload
from uuid import UUID

from cronsim import CronSim, CronSimError
from pydantic import ConfigDict, validate_call
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError, to_jsonable_python

from colonnade.core.errors import DeclarationError
from colonnade.jobs.request import JobRequest, Where
from colonnade.models.jobs import MAX_NAME

if TYPE_CHECKING:
    from colonnade.jobs.run import JobRun

P = ParamSpec("P")

RETRIES = 5
TIMEOUT = 60.0
"""Seconds that one attempt of an asynchronous job may take when nothing else is said."""


class Job(Generic[P]):
    """A kind of work, declared by `job`.

    Attributes:
        function: what is called with the `JobRun` and the arguments.
        name: by which its rows know it; it must stay the same as long as there are any.
        retries: attempts after the first one.
        timeout: seconds that one attempt may take; None for a function that runs in a thread, which can't be stopped.
        cron: when it runs by itself, in UTC; None when it only runs when it is asked for.
    """

    def __init__(
        self,
        function: Callable[Concatenate[JobRun, P], Any],
        *,
        name: str | None = None,
        retries: int = RETRIES,
        timeout: float | None = None,
        cron: str | None = None,
    ) -> None:
        self.function = function
        self.name = name or f"{function.__module__}.{function.__qualname__}"
        self.retries = retries
        self.is_async = inspect.iscoroutinefunction(function)
        self.timeout = timeout or (TIMEOUT if self.is_async else None)
        self.cron = cron
        self._signature = inspect.signature(function)
        self._check(timeout)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<job {self.name}>"

    def request(self, *args: P.args, **arguments: P.kwargs) -> JobRequest:
        """Ask for the work; `.at(time)` and `.once(key)` say more, `.enqueue(...)` stores it.

        Args:
            *args: as the function takes them, after its `JobRun`.
            **arguments: the same by name. What JSON does not have (times, UUIDs, decimals) becomes text, and the function
                gets it back by its annotations.

        Raises:
            DeclarationError: the function takes no such arguments, or JSON can't hold one of them.
        """
        try:
            bound = self._signature.bind(None, *args, **arguments).arguments
            given = {name: value for name, value in list(bound.items())[1:] if name != self._rest}
            return JobRequest(self.name, to_jsonable_python({**given, **bound.get(self._rest, {})}))
        except (TypeError, PydanticSerializationError) as error:
            raise DeclarationError(f"{self.name}: {error}") from None

    async def enqueue(self, where: Where, /, *args: P.args, **arguments: P.kwargs) -> UUID | None:
        """Store the work in an open transaction: it runs if, and only if, that commits.

        Args:
            where: a `Change` in a hook (`before_...`, `after_...`), a unit of work, or any `AsyncSession`.
            *args: see `request`.
            **arguments: see `request`.

        Returns:
            The job's id.
        """
        return await self.request(*args, **arguments).enqueue(where)

    async def perform(self, run: JobRun, arguments: Mapping[str, Any], threads: Executor | None = None) -> Any:
        """Call the function: where it is asynchronous on the loop, else in a thread.

        Args:
            run: the attempt.
            arguments: as its row has them.
            threads: where a sync function runs; the event loop's own when not given.

        Raises:
            ValidationError: the arguments do not fit the annotations; they may be of an earlier version.
        """
        if self.is_async:
            return await self._validated(run, **arguments)
        call = partial(contextvars.copy_context().run, self._validated, run, **arguments)
        return await asyncio.get_running_loop().run_in_executor(threads, call)

    def next_time(self, after: datetime) -> datetime | None:
        """Tell when it runs by itself next; None when it does not."""
        return None if self.cron is None else next(CronSim(self.cron, after))

    def check(self) -> None:
        """Read the annotations, as the first attempt would.

        Raises:
            DeclarationError: they can't be read, perhaps because they are imported for type checkers only.
        """
        try:
            self._validated  # noqa: B018  # made now and kept
        except (NameError, PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as error:
            raise DeclarationError(f"{self.name}: {error}") from None

    @cached_property
    def _validated(self) -> Callable[..., Any]:
        return validate_call(config=ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True))(self.function)

    @property
    def _rest(self) -> str:
        """The name of `**rest`, whose values stand in the arguments by their own names."""
        last = list(self._signature.parameters.values())[-1]
        return last.name if last.kind is inspect.Parameter.VAR_KEYWORD else ""

    def _check(self, timeout: float | None) -> None:
        parameters = list(self._signature.parameters.values())
        if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
            raise DeclarationError(f"{self.name}: the first parameter of a job is its JobRun")
        if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
            raise DeclarationError(f"{self.name}: a job's arguments have names; *{parameters[-1].name} has none")
        if timeout is not None and not self.is_async:
            raise DeclarationError(f"{self.name}: a thread can't be stopped; only an async job has a timeout")
        if self.retries < 0 or len(self.name) > MAX_NAME:
            raise DeclarationError(f"{self.name}: retries can't be negative, nor the name longer than {MAX_NAME}")
        if self.cron is not None:
            self._check_cron(self.cron, parameters[1:])

    def _check_cron(self, cron: str, parameters: list[inspect.Parameter]) -> None:
        try:
            CronSim(cron, datetime(2000, 1, 1))  # noqa: DTZ001  # the expression alone is looked at
        except CronSimError as error:
            raise DeclarationError(f"{self.name}: cron {cron!r}: {error}") from None
        if any(one.default is one.empty and one.kind is not one.VAR_KEYWORD for one in parameters):
            raise DeclarationError(f"{self.name}: nobody gives a scheduled job its arguments; give them defaults")


@overload
def job(function: Callable[Concatenate[JobRun, P], Any], /) -> Job[P]: ...


@overload
def job(
    *, name: str | None = None, retries: int = RETRIES, timeout: float | None = None, cron: str | None = None
) -> Callable[[Callable[Concatenate[JobRun, P], Any]], Job[P]]: ...


def job(
    function: Callable[Concatenate[JobRun, P], Any] | None = None,
    /,
    *,
    name: str | None = None,
    retries: int = RETRIES,
    timeout: float | None = None,
    cron: str | None = None,
) -> Job[P] | Callable[[Callable[Concatenate[JobRun, P], Any]], Job[P]]:
    """Make a job of a function; the first thing that it is called with is its `JobRun`.

    A job runs at least once: a worker that dies is replaced. What it does has to be the same once and twice, or be made in
    `run.transaction()`, with which its completion becomes durable, or neither does.

    Args:
        function: asynchronous, or sync and then run in a thread.
        name: by which its rows know it; the function's module and name unless given.
        retries: attempts after the first one; the pauses between them grow from 5 seconds to 6 hours.
        timeout: seconds that one attempt of an asynchronous function may take, 60 unless given.
        cron: five fields, in UTC: it runs by itself then, once however many workers there are.

    Raises:
        DeclarationError: the function or the figures can't work.
    """

    def declare(function: Callable[Concatenate[JobRun, P], Any]) -> Job[P]:
        return Job(function, name=name, retries=retries, timeout=timeout, cron=cron)

    return declare if function is None else declare(function)
