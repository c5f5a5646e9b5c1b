"""What the accounts of an application are, once declared."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import DeclarationError
from colonnade.models.accounts import AccountTables, account_tables
from colonnade.models.facts import Kind, TableFacts, read_facts
from colonnade.query.values import read_value
from colonnade.query.writes import new_values


class Account(NamedTuple):
    """An account's row, as far as signing in needs it; whether it is active is asked of it at every step."""

    id: Any
    hashed_password: str
    is_active: bool
    token_version: int
    email: str | None
    email_verified_at: datetime | None

    def __repr__(self) -> str:
        return f"Account(id={self.id!r}, ...)"


@dataclass(frozen=True, slots=True)
class AccountBlueprint:
    """The model of the accounts, and the tables beside it.

    Attributes:
        facts: of the model.
        tables: beside it.
        login: fields that name an account at its login, e.g. e-mail and username.
        email: the field of its address; None where accounts have none, and get no mail then.
    """

    facts: TableFacts
    tables: AccountTables
    login: tuple[str, ...]
    email: str | None

    def column(self, key: str) -> sa.Column[Any]:
        """Give a column of the accounts' table by its attribute."""
        return self.facts.columns[key].column

    def read_id(self, text: str) -> object:
        """Read an account's id of its text.

        Raises:
            ValueError: it is none.
        """
        return read_value(self.facts.identity, text)

    async def find(self, session: AsyncSession, *conditions: sa.ColumnElement[bool]) -> Account | None:
        """Read one account that is not deleted; one statement."""
        keys = ("hashed_password", "is_active", "token_version", self.email, "email_verified_at")
        columns = [sa.null() if key is None else self.column(key) for key in keys]
        chosen = sa.select(self.facts.identity.column, *columns).where(*conditions, *self.facts.visible()).limit(1)
        row = (await session.execute(chosen)).one_or_none()
        return None if row is None else Account(*row)

    async def find_by_id(self, session: AsyncSession, id: object) -> Account | None:
        """Read the account with this id."""
        return await self.find(session, self.facts.identity.column == id)

    async def find_by_login(self, session: AsyncSession, name: str) -> Account | None:
        """Read the account that a person names at its login; the first of the fields counts that there is one by.

        An e-mail address is looked for as it is stored, case folded (see `Email`). All fields are asked for in any case, so
        that the time does not tell by which of them there is an account, or that there is none.
        """
        found: Account | None = None
        for key in self.login:
            value = name.strip().casefold() if key == self.email else name
            one = await self.find(session, self.column(key) == value)
            found = found or one
        return found

    async def create(self, session: AsyncSession, address: str, values: Mapping[str, Any]) -> Any:
        """Store a new account that nobody has registered: one INSERT.

        Args:
            session: of the caller's transaction.
            address: its e-mail address; it is called so at its login. Any other login field, a username say, is made of it.
            values: the other columns, by attribute.

        Returns:
            Its id.

        Raises:
            sqlalchemy.exc.IntegrityError: the address is taken, or the model wants more of an account than this.
        """
        local = re.sub(r"\W", "_", address.partition("@")[0], flags=re.ASCII)[:30]
        names = {name: f"{local}_{secrets.token_hex(4)}" for name in self.login}
        stored = self.facts.fill({**names, self.email or self.login[0]: address, **values}, new=True)
        columns = {self.facts.columns[key].column: value for key, value in stored.items()}
        result: Any = await session.execute(sa.insert(self.facts.table).values(columns))
        return result.inserted_primary_key[0]

    async def change(self, session: AsyncSession, account: Account, **values: Any) -> bool:
        """Change columns of an account, unless its password, address or activity has changed since it was read.

        Its version and its time of change go along, as its representation does.

        Returns:
            Whether it was still as it was read.
        """
        facts = self.facts
        stored = new_values(facts, facts.fill(values, new=False))
        same = [
            facts.identity.column == account.id,
            self.column("hashed_password") == account.hashed_password,
            self.column("is_active").is_(account.is_active),
        ]
        if self.email is not None:
            same.append(self.column(self.email) == account.email)
        update = sa.update(facts.table).where(*same, *facts.visible()).ordered_values(*stored)
        result: Any = await session.execute(update)
        return bool(result.rowcount)


def read_accounts(model: type[DeclarativeBase], login: tuple[str, ...], email: str | None) -> AccountBlueprint:
    """Read a model of accounts.

    Raises:
        DeclarationError: it lacks the mixin or a field; the text says which.
    """
    tables, facts = account_tables(model), read_facts(model)
    for name in (*login, *([] if email is None else [email])):
        if name not in facts.columns or facts.columns[name].kind is not Kind.TEXT:
            raise DeclarationError(f"{model.__name__} has no text column '{name}' that an account is found by")
    if email is not None and facts.columns["email_verified_at"].cleared_with != email:
        raise DeclarationError(
            f"{model.__name__}.email_verified_at would outlive a change of '{email}'; declare it: email_verified_at = "
            f'mapped_column(UTCDateTime(), info={{"server_owned": True, "cleared_with": "{email}"}})'
        )
    if not login:
        raise DeclarationError(f"{model.__name__}: name the fields that an account is found by at its login")
    return AccountBlueprint(facts, tables, login, email)
