"""`Accounts`: a model of accounts becomes routes to sign in by, and everybody who signs in a principal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase
from starlette.types import Scope

from colonnade.api.accounts.bearer import bearer_token
from colonnade.api.accounts.link_pages import add_link_pages
from colonnade.api.accounts.routes import account_router
from colonnade.api.route import Runtime
from colonnade.core.errors import DeclarationError
from colonnade.core.setting_values import is_local
from colonnade.core.settings import Settings, SettingsError
from colonnade.database.database import Database
from colonnade.limits.rate import read_rate
from colonnade.mail.mail import Mail
from colonnade.policy.principal import ANONYMOUS, Principal
from colonnade.security.login_limit import LoginLimit
from colonnade.security.openid import OpenIDProvider
from colonnade.services.accounts.administrator import make_administrator
from colonnade.services.accounts.blueprint import read_accounts
from colonnade.services.accounts.services import AccountServices, AccountSettings, account_services


class Accounts:
    """The accounts of an application; `router` is an ordinary `APIRouter` with the routes below `/auth`.

    Args:
        model: has the mixin `AccountMixin`.
        login: fields by which a person names an account at its login.
        email: the field of its e-mail address; None where it has none.
        mail: sends links to verify an address and to reset a password, by its templates `verify-email` and
            `reset-password`, which are given `link` and `token`; without it there are no routes for either.
        public_url: what the links begin with, where an application's pages are: `/verify-email` and `/reset-password`; and
            where identity providers send people back to.
        providers: at which people may sign in as well; needs `colonnade[oidc]`.

    Raises:
        DeclarationError: a field is no text column, or the mixin is missing.
    """

    def __init__(
        self,
        model: type[DeclarativeBase],
        /,
        *,
        login: Sequence[str] = ("email",),
        email: str | None = "email",
        mail: Mail | None = None,
        public_url: str = "",
        providers: Sequence[OpenIDProvider] = (),
    ) -> None:
        self.blueprint = read_accounts(model, tuple(login), email)
        if (mail is not None or providers) and (email is None or not public_url):
            raise DeclarationError(
                "mail and providers want the field of the address, and the public_url of the application"
            )
        self.mail, self.public_url, self.providers = mail, public_url, tuple(providers)
        self.router = account_router(mails=mail is not None)
        if providers:
            from colonnade.api.accounts.oidc_routes import add_providers  # noqa: PLC0415  # an optional extra

            add_providers(self.router, providers, public_url.rstrip("/"))

    def attach(
        self, runtime: Runtime, secret: bytes, login_limit: str | None, common_passwords: Path | None = None
    ) -> None:
        """Have an application's routes know who calls; `create_app` and `install` do so.

        Args:
            runtime: of the application.
            secret: its `SECRET_KEY`.
            login_limit: failed logins of one account, e.g. `5/minute`; None for any number.
            common_passwords: a file of those that nobody may choose.
        """
        limit = None if login_limit is None else read_rate(login_limit)
        settings = AccountSettings(
            secret,
            limit and LoginLimit(limit.requests, timedelta(seconds=limit.seconds)),
            self.mail,
            self.public_url if self.mail is not None or self.providers else "",
            common_passwords,
        )
        runtime.accounts = account_services(self.blueprint, settings)
        runtime.authenticate = _Authenticate(runtime.accounts)

    def add_pages(self, app: FastAPI, api_prefix: str) -> None:
        """Add the pages that mailed links lead to, where there is mail; `create_app` does so.

        Args:
            app: whose they are.
            api_prefix: of the newest version.
        """
        if self.mail is not None:
            add_link_pages(app, api_prefix)

    def check_links(self, settings: Settings) -> None:
        """Refuse in production to send people to their own machine; `create_app` does so.

        Raises:
            SettingsError: `PUBLIC_URL` is a local address, and mailed links or identity providers lead there.
        """
        sends = bool(self.providers) or (self.mail is not None and settings.smtp_url is not None)
        if settings.env == "production" and sends and is_local(self.public_url):
            raise SettingsError(
                f"PUBLIC_URL: {self.public_url} is where mailed links and identity providers would lead people; name the "
                "address at which they find the application"
            )

    async def prepare(self, database: Database, settings: Settings) -> None:
        """Make the administrator whom `ADMIN_EMAIL` and `ADMIN_PASSWORD` name; `create_app` does so when it starts.

        Args:
            database: of the accounts.
            settings: of the application.
        """
        if settings.admin_email is not None and settings.admin_password is not None:
            password = settings.admin_password.get_secret_value()
            await make_administrator(database, self.blueprint, settings.admin_email, password)


class _Authenticate:
    """Tells who sends a request."""

    def __init__(self, services: AccountServices) -> None:
        self._principal_of = services.authentication.principal_of

    async def __call__(self, scope: Scope, database: Database) -> Principal:
        token = bearer_token(scope)
        return ANONYMOUS if token is None else await self._principal_of(database, token)
