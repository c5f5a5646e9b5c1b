"""The use cases of one application's accounts, put together."""

from __future__ import annotations

from dataclasses import dataclass

from colonnade.query.values import read_value
from colonnade.security.keys import derive_key
from colonnade.security.tokens import AccessTokens
from colonnade.services.accounts.authentication import Authentication
from colonnade.services.accounts.blueprint import AccountBlueprint
from colonnade.services.accounts.passwords import Passwords
from colonnade.services.accounts.sessions import Sessions
from colonnade.services.accounts.signing_in import SignIn


@dataclass(frozen=True, slots=True)
class AccountServices:
    """What can be done with accounts.

    Attributes:
        authentication: tells whose a token is.
        sessions: continues and ends logins.
        sign_in: begins them.
        passwords: changes passwords.
    """

    authentication: Authentication
    sessions: Sessions
    sign_in: SignIn
    passwords: Passwords


def account_services(accounts: AccountBlueprint, secret: bytes, issuer: str) -> AccountServices:
    """Put the use cases together.

    Args:
        accounts: the model and its tables.
        secret: the application's `SECRET_KEY`; what signs tokens is derived from it.
        issuer: who issues the tokens, and to whom they speak.
    """
    identity = accounts.facts.identity
    tokens = AccessTokens(derive_key(secret, b"access token"), issuer, lambda text: read_value(identity, text))
    sessions = Sessions(accounts, tokens)
    return AccountServices(
        Authentication(accounts, tokens), sessions, SignIn(accounts, sessions), Passwords(accounts, sessions)
    )
