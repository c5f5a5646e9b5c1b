"""What the account routes do: raw request in, reply out, each a few lines around a use case.

They stand apart from a resource's routes: each asks for credentials itself, in the way that it needs them, no wrapper goes
around its answer (S15), and none is a part of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pydantic import BaseModel, SecretStr

from colonnade.api.accounts.bearer import bearer_token, required_token
from colonnade.api.accounts.form import parse_form
from colonnade.api.body import parse_body, require_json
from colonnade.api.limiting import client_key
from colonnade.api.operations import Call
from colonnade.api.reply import NOT_STORED, Reply
from colonnade.core.errors import DeclarationError, ForbiddenError
from colonnade.core.json import dump_json
from colonnade.policy.principal import Principal
from colonnade.query.parse import refuse_parameters
from colonnade.schemas.accounts import LogoutBody, PasswordChange, RefreshBody
from colonnade.services.accounts.services import AccountServices
from colonnade.services.accounts.sessions import Issued
from colonnade.services.accounts.signing_in import Credentials

Body = TypeVar("Body", bound=BaseModel)

DONE = Reply(204, (NOT_STORED,))


def services_of(call: Call) -> AccountServices:
    """Find the application's accounts.

    Raises:
        DeclarationError: it has none.
    """
    found: AccountServices | None = call.scope["app"].state.colonnade.accounts
    if found is None:
        raise DeclarationError("these routes need create_app(accounts=...) or install(app, ..., accounts=...)")
    return found


async def signed_in(call: Call) -> Principal:
    """Tell who sends a request, who must have signed in himself: no API key will do.

    Raises:
        UnauthenticatedError: CLN300, no token or one that does not hold.
        ForbiddenError: CLN301, an API key.
    """
    principal = await services_of(call).authentication.principal_of(call.database, required_token(call.scope))
    if principal.scopes is not None:
        raise ForbiddenError("An API key can't do this; sign in.")
    return principal


async def read_json(call: Call, schema: type[Body]) -> Body:
    """Read a body, where the query has nothing to say."""
    refuse_parameters(call.scope["query_string"])
    require_json(call.scope)
    body = parse_body(schema, await call.body())
    assert isinstance(body, schema)  # parsed as one
    return body


@dataclass(frozen=True, slots=True)
class GetTokens:
    """POST of a name and a password."""

    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Sign in: a name and a password for an access token and a refresh token (RFC 6749 §4.3)."""
        refuse_parameters(call.scope["query_string"])
        form = parse_form(call.scope, await call.body())
        credentials = Credentials(form.username, form.password, client_key(call.scope))
        return token_reply(await services_of(call).sign_in.by_password(call.database, credentials))


@dataclass(frozen=True, slots=True)
class RefreshTokens:
    """POST of a refresh token."""

    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Continue a session: a refresh token for new tokens. It is good for one use; a second one ends the session."""
        body = await read_json(call, RefreshBody)
        return token_reply(
            await services_of(call).sessions.refresh(call.database, body.refresh_token.get_secret_value())
        )


@dataclass(frozen=True, slots=True)
class Logout:
    """POST of nothing, or of a refresh token."""

    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """End the session of the access token, of the refresh token, or of both; the next request with either is refused."""
        refuse_parameters(call.scope["query_string"])
        services, refresh = services_of(call), None
        if content := await call.body():
            require_json(call.scope)
            body = parse_body(LogoutBody, content)
            assert isinstance(body, LogoutBody)  # parsed as one
            refresh = _text(body.refresh_token)
        token = required_token(call.scope) if refresh is None else bearer_token(call.scope)
        session = None if token is None else services.authentication.claims_of(token).session
        await services.sessions.end(call.database, session, refresh)
        return DONE


@dataclass(frozen=True, slots=True)
class LogoutEverywhere:
    """POST of nothing."""

    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """End every session of the account, on every device, and revoke its API keys."""
        refuse_parameters(call.scope["query_string"])
        principal = await signed_in(call)
        await services_of(call).sessions.end_all(call.database, principal.id)
        return DONE


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """POST of the password as it is and as it shall be."""

    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Change the account's password. Every session ends, this one too, and its API keys are revoked: sign in anew."""
        principal = await signed_in(call)
        body = await read_json(call, PasswordChange)
        current, new = body.current_password.get_secret_value(), body.new_password.get_secret_value()
        await services_of(call).passwords.change(call.database, principal.id, current, new)
        return DONE


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def token_reply(issued: Issued) -> Reply:
    """Answer the tokens of a session (RFC 6749 §5.1)."""
    document = {
        "access_token": issued.access,
        "token_type": "bearer",
        "expires_in": issued.expires_in,
        "refresh_token": issued.refresh,
    }
    return Reply(200, (NOT_STORED,), dump_json(document))
