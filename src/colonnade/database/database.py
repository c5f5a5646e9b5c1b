"""The database: one engine, one pool, and both ways to use them.

The compiled way runs statements on the driver's own connections, the ORM way opens sessions; both borrow from the one
pool, so that its figures are the whole truth.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import cached_property
from time import perf_counter
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from colonnade.core.errors import ContentionError, DatabaseAwayError, ProblemError
from colonnade.core.json import dump_json
from colonnade.core.settings import PoolSettings, Settings
from colonnade.database import sqlite
from colonnade.database.changes import Changes, watch_changes
from colonnade.database.comments import comment_statements, commented
from colonnade.database.diagnosis import Cause, Diagnosis, explain, outcome_unknown, pool_exhausted
from colonnade.database.driver import Driver, Follow, Outcome, Statement, UnsureError
from colonnade.database.hiding import HidingSession
from colonnade.database.lending import LendingPool, PoolEvents
from colonnade.database.origin import ApplicationError, came_from_database
from colonnade.database.pool import deadline_of, pool_options, watch_pool
from colonnade.database.unit_of_work import Effect, Translation, UnitOfWork, carry_out
from colonnade.database.urls import driver_urls
from colonnade.database.versions import TableVersions, watch_versions
from colonnade.database.watch import StatementWatch, watch_statements

MAX_TRIES = 4
"""What lost a deadlock, or its connection before anything could be stored, is tried again three times."""

RETRY_SECONDS = 1.0
"""After so long a lost connection is not tried again: who waits for a database that is silent has waited long enough."""

Result = TypeVar("Result")


class Database:
    """One database of an application.

    Args:
        url: `sqlite:///file.db`, `sqlite://` (in memory), `postgresql://...`, `mysql://...`; the drivers are chosen here.
        pool: its figures; SQLite has no use for most of them.
        echo: log every statement.
        show_values: let the statements' values be seen in that log and in errors, as is fit for development only.
        comments: name the request's route in a comment of each statement (sqlcommenter).
        metadata: where tables are declared, so that a violated constraint tells its columns.

    Raises:
        DeclarationError: the URL can't be used.
    """

    def __init__(
        self,
        url: str | sa.URL,
        *,
        pool: PoolSettings | None = None,
        echo: bool = False,
        show_values: bool = False,
        comments: bool = False,
        metadata: sa.MetaData | None = None,
    ) -> None:
        self.url, self._sync_url = driver_urls(url)
        self.metadata = metadata
        self._pool = pool or PoolSettings()
        self._logged = {"echo": echo, "hide_parameters": not show_values}
        self.watch = StatementWatch(echo=echo, show_values=show_values)
        self._comments = comments
        self.engine = create_async_engine(self.url, **self._engine_options(self.url))
        self.driver_name = self.engine.dialect.driver
        self.sessions = async_sessionmaker(
            self.engine, expire_on_commit=False, autoflush=False, sync_session_class=HidingSession
        )
        self.driver: Driver
        self._diagnose: Callable[[BaseException], Diagnosis | None]
        self._sqlite: sqlite.SQLiteDriver | None = None
        self._choose_driver()
        self.pool_events = PoolEvents()
        self.changes = Changes()
        self.versions = TableVersions(metadata, self.engine.dialect)
        self._watch_engine(self.engine.sync_engine)

    def _watch_engine(self, engine: sa.Engine) -> None:
        watch_pool(engine, self._pool, self.pool_events)
        watch_versions(engine, self.metadata)
        watch_changes(engine, self.changes)
        watch_statements(engine, self.watch)
        if self._comments:
            comment_statements(engine)

    @classmethod
    def from_settings(cls, settings: Settings, metadata: sa.MetaData | None = None) -> Self:
        """Make the database that the settings name, as watched as they say.

        Args:
            settings: `database_url`, the pool's figures, `sql_echo` and `sql_comments` are read; values are logged in
                development only.
            metadata: where tables are declared.
        """
        return cls(
            settings.database_url.get_secret_value(),
            pool=settings.pool,
            echo=settings.sql_echo,
            show_values=settings.env == "development",
            comments=settings.sql_comments,
            metadata=metadata,
        )

    def _choose_driver(self) -> None:
        # The drivers of the larger databases are extras, imported only where they are used.
        match self.engine.dialect.name:
            case "sqlite":
                self._sqlite = sqlite.SQLiteDriver(self.url, time_limit=self._pool.statement_timeout)
                sqlite.configure(self.engine)
                self.driver, self._diagnose = self._sqlite, sqlite.diagnose
            case "postgresql":
                from colonnade.database import postgresql  # noqa: PLC0415

                self.driver, self._diagnose = postgresql.PostgreSQLDriver(self.engine), postgresql.diagnose
            case _:
                from colonnade.database import mysql  # noqa: PLC0415

                mysql.configure(self.engine, deadline_of(self._pool))
                self.driver, self._diagnose = mysql.MySQLDriver(self.engine), mysql.diagnose

    def _engine_options(self, url: sa.URL) -> dict[str, Any]:
        # The same JSON writer as on the compiled way: bodies are parsed to exact decimals.
        writer = lambda value: dump_json(value).decode()  # noqa: E731
        return {**self._logged, "json_serializer": writer, **pool_options(url, self._pool)}

    @property
    def dialect(self) -> sa.Dialect:
        """The engine's dialect: decides the text of statements."""
        return self.engine.dialect

    @cached_property
    def sync_engine(self) -> sa.Engine:
        """An engine for sync endpoints and tools, made when it is first asked for."""
        engine = sa.create_engine(self._sync_url, **self._engine_options(self._sync_url))
        if engine.dialect.name == "sqlite":
            sqlite.configure(engine)
        else:
            engine.dialect.ddl_compiler = self.dialect.ddl_compiler
        self._watch_engine(engine)
        return engine

    @cached_property
    def _reading_engine(self) -> AsyncEngine:
        """The same engine, whose transactions only read."""
        options = {"postgresql_readonly": True} if self.dialect.name == "postgresql" else {}
        return self.engine.execution_options(read_only=True, **options)

    @cached_property
    def sync_sessions(self) -> sessionmaker[Session]:
        """Makes sync sessions."""
        return sessionmaker(self.sync_engine, class_=HidingSession, expire_on_commit=False, autoflush=False)

    async def fetch(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """Run one read on the compiled way.

        Raises:
            ProblemError: CLN510 to CLN513, or what the database refused.
        """
        if self._comments:
            statement = Statement(commented(statement.sql), statement.arguments)
        self.watch.echo(statement)
        began = perf_counter()
        try:
            return await self.driver.fetch(statement)
        except Exception as error:
            problem = self._translate_driver(error)
            # The pool may hold connections from before a restart of the server.
            if isinstance(problem, DatabaseAwayError) and perf_counter() - began <= RETRY_SECONDS:
                return await self.retry(lambda: self._translating(self.driver.fetch(statement)))
            if problem is not None:
                raise problem from error
            raise
        finally:
            self.watch.ended(statement.sql, statement.arguments, began)

    async def commit(self, statements: Sequence[Statement], follow: Follow | None = None) -> list[Outcome]:
        """Run a planned change in one transaction and commit it: durable when this returns, nothing stored when it raises.

        Deadlocks, serialization failures and connections lost before the commit are tried again, three times.

        Args:
            statements: in their order.
            follow: gives further ones of the same transaction from the outcomes of those.

        Returns:
            One outcome for each of `statements`.

        Raises:
            UniqueError, ForeignKeyError, CheckError, RequiredError: a constraint, told by the fields it is about.
            ServerError: CLN510 to CLN514.
        """

        async def once() -> list[tuple[Statement, Outcome]]:
            return await self._store(statements, follow)

        began = self.changes.tick()
        try:
            stored = await self.retry(once)
        except BaseException:
            # A caller that is cancelled may find its change stored all the same.
            self.changes.note_statements(began, statements)
            raise
        outcomes = [outcome for _, outcome in stored]
        self.changes.note_statements(began, [statement for statement, _ in stored], outcomes)
        return outcomes[: len(statements)]

    async def _store(self, change: Sequence[Statement], follow: Follow | None) -> list[tuple[Statement, Outcome]]:
        """Run a change once, and tell what was run for it, which the renewals of versions are no part of."""
        statements = self._told([*change, *self.versions.renewals(change)])
        further: list[Statement] = []

        def complete(outcomes: Sequence[Outcome]) -> Sequence[Statement]:
            try:
                further[:] = [] if follow is None else self._told(follow(outcomes[: len(change)]))
            except Exception as error:
                raise ApplicationError(error) from error
            return further

        began = perf_counter()
        try:
            outcomes = await self._translating(self.driver.commit(statements, None if follow is None else complete))
        except ApplicationError as raised:
            raise raised.error from None
        finally:
            self.watch.ended_together([*statements, *further], began)
        stored = list(zip(change, outcomes, strict=False))
        return stored + list(zip(further, outcomes[len(statements) :], strict=True))

    def _told(self, statements: Sequence[Statement]) -> Sequence[Statement]:
        """Name the route in statements and log them, where that is wanted."""
        if self._comments:
            statements = [Statement(commented(sql), arguments) for sql, arguments in statements]
        for statement in statements:
            self.watch.echo(statement)
        return statements

    async def stamp(self) -> object | None:
        """Give a value that stays equal for as long as nobody commits anything; None where the database has none.

        Raises:
            ServerError: CLN510 to CLN513.
        """
        began = perf_counter()
        try:
            return await self._translating(self.driver.stamp())
        finally:
            if self.driver.stamp_sql is not None:
                self.watch.ended(self.driver.stamp_sql, (), began)

    async def estimate(self, statement: Statement) -> int | None:
        """Guess how many rows a statement would give, without running it; None where the database does not.

        Raises:
            ProblemError: CLN510 to CLN513, or what the database refused.
        """
        began = perf_counter()
        guess = await self._translating(self.driver.estimate(statement))
        if guess is not None:
            self.watch.ended(f"EXPLAIN {statement.sql}", statement.arguments, began)
        return guess

    async def _translating(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except Exception as error:
            if (problem := self._translate_driver(error)) is not None:
                raise problem from error
            raise

    async def retry(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do a whole transaction again, with a growing pause, while others get in its way or its connection is lost.

        Args:
            work: begins, commits or rolls back by itself; it must have no other effect.
        """
        end = perf_counter() + RETRY_SECONDS
        for tried in range(1, MAX_TRIES):
            try:
                return await work()
            except (ContentionError, DatabaseAwayError) as error:
                # PostgreSQL alone needs a second to find a deadlock; that is no sign of more to come.
                if isinstance(error, DatabaseAwayError) and perf_counter() > end:
                    raise
                await asyncio.sleep(random.uniform(0, 0.02 * 2**tried))  # noqa: S311  # jitter
        return await work()

    async def settle(self, effect: Effect) -> None:
        """Have done what waits for a commit that stands: at once, as the caller's own one does; what it raises is logged."""
        await carry_out(effect)

    def unit_of_work(self) -> UnitOfWork:
        """Open a transaction for several statements or the ORM; see `UnitOfWork`."""
        gate = nullcontext() if self._sqlite is None else self._sqlite.exclusive()
        translation = Translation(self.translate, self.translate_commit, self._translate_driver)
        return UnitOfWork(self.sessions(), gate, translation)

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """Open a session: rolled back unless the caller commits, closed always.

        Args:
            read_only: promise not to write, so that SQLite need not take its only write lock; PostgreSQL and MariaDB refuse
                writes then. It costs MariaDB a round trip.

        Raises:
            ProblemError: what the database refused inside the block.
        """
        async with self.sessions(bind=self._reading_engine if read_only else self.engine) as session:
            try:
                yield session
            except Exception as error:
                if (problem := self.translate(error)) is not None:
                    raise problem from error
                raise

    async def start(self, *, create_tables: bool = False) -> None:
        """Test the connection before the first request does (S22), and create missing tables where that is wanted (S46).

        Raises:
            DatabaseAwayError: CLN510; the text says which database, without its password.
        """
        try:
            await self.ping()
        except ProblemError as error:
            where = self.url.render_as_string(hide_password=True)
            raise DatabaseAwayError(
                f"{where} does not answer; is it running, and are name and password right?"
            ) from error
        if create_tables and self.metadata is not None:
            async with self.engine.begin() as connection:
                await connection.run_sync(self.metadata.create_all)

    def driver_state(self) -> list[dict[str, Any]]:
        """Say what SQLite's writer and readers are doing; nothing of other databases, which can be asked themselves."""
        return [] if self._sqlite is None else self._sqlite.state()

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            UnavailableError: CLN510 to CLN512.
        """
        await self.fetch(Statement("SELECT 1", ()))

    async def dispose(self) -> None:
        """Close every connection; the database can be used again afterwards."""
        await self.driver.dispose()
        if isinstance(pool := self.engine.pool, LendingPool):
            await pool.close_idle()
        await self.engine.dispose()
        if self._sqlite is not None:
            self._sqlite = self.driver = sqlite.SQLiteDriver(self.url, time_limit=self._pool.statement_timeout)
        if "sync_engine" in self.__dict__:
            self.sync_engine.dispose()

    def translate(self, error: BaseException) -> ProblemError | None:
        """Make the problem of an error that left a session; None of an application's own, whatever its class."""
        if isinstance(error, ProblemError):
            return error
        return self._translate_driver(error) if came_from_database(error) else None

    def _translate_driver(self, error: BaseException) -> ProblemError | None:
        """Make the problem of an error that the driver itself raised, with nobody else's code in between."""
        if isinstance(error, ProblemError):
            return error
        if isinstance(error, PoolTimeoutError):
            self.pool_events.timeout += 1
            return pool_exhausted()
        if isinstance(error, UnsureError):
            return outcome_unknown()
        diagnosis = self._diagnosed(error)
        return None if diagnosis is None else explain(diagnosis, self.metadata)

    def translate_commit(self, error: BaseException) -> ProblemError | None:
        """Make the problem of an error that COMMIT met: a connection that was lost then leaves its outcome unknown."""
        if came_from_database(error):
            diagnosis = self._diagnosed(error)
            if diagnosis is not None and diagnosis.cause is Cause.LOST:
                return outcome_unknown()
        return self.translate(error)

    def _diagnosed(self, error: BaseException) -> Diagnosis | None:
        return self._diagnose(error.driver_exception if isinstance(error, DBAPIError) else error)
