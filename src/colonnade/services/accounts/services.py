"""The use cases of one application's accounts, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from colonnade.core.sealing import Seal
from colonnade.mail.mail import Mail
from colonnade.security.common_passwords import CommonPasswords
from colonnade.security.keys import derive_key
from colonnade.security.login_limit import LoginLimit
from colonnade.security.mailed_links import MailedLinks
from colonnade.security.tokens import AccessTokens
from colonnade.services.accounts.api_keys import ApiKeys
from colonnade.services.accounts.attempts import Attempts
from colonnade.services.accounts.authentication import Authentication
from colonnade.services.accounts.blueprint import AccountBlueprint
from colonnade.services.accounts.identities import Identities
from colonnade.services.accounts.letters import Letters
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
        api_keys: makes and revokes what machines sign in with.
        letters: sends links; None where there is no mail.
        identities: signs in who comes from an outside provider.
        login_seal: of what a browser keeps meanwhile.
        public_url: where mailed links and identity providers lead people; empty where nothing does.
    """

    authentication: Authentication
    sessions: Sessions
    sign_in: SignIn
    passwords: Passwords
    api_keys: ApiKeys
    letters: Letters | None
    identities: Identities
    login_seal: Seal
    public_url: str


@dataclass(frozen=True, slots=True, repr=False)
class AccountSettings:
    """What an application decides of its accounts.

    Attributes:
        secret: its `SECRET_KEY`; what signs tokens is derived from it.
        login_limit: of failed logins of one account; None for none.
        mail: sends links; None where there is none.
        public_url: what links begin with; empty where there are none.
        common_passwords: a file of those that nobody may choose.
    """

    secret: bytes
    login_limit: LoginLimit | None
    mail: Mail | None
    public_url: str
    common_passwords: Path | None = None


def account_services(accounts: AccountBlueprint, settings: AccountSettings) -> AccountServices:
    """Put the use cases together.

    Args:
        accounts: the model and its tables.
        settings: of the application.
    """
    secret = settings.secret
    # The tokens of one table's accounts are not those of another's, even where the key is the same.
    issuer = f"colonnade:{accounts.facts.table.name}"
    tokens = AccessTokens(derive_key(secret, b"access token"), issuer, accounts.read_id)
    sessions = Sessions(accounts, tokens)
    attempts = Attempts(accounts.tables.failures, settings.login_limit, derive_key(secret, b"login failures"))
    sign_in = SignIn(accounts, sessions, attempts)
    common = CommonPasswords(settings.common_passwords)
    passwords, letters = Passwords(accounts, sessions, attempts, common), None
    if settings.mail is not None:
        links = MailedLinks(derive_key(secret, b"mailed link"))
        letters = Letters(accounts, passwords, links, settings.mail, settings.public_url)
    authentication = Authentication(accounts, tokens)
    return AccountServices(
        authentication,
        sessions,
        sign_in,
        passwords,
        ApiKeys(accounts),
        letters,
        Identities(accounts, sessions),
        Seal(derive_key(secret, b"outside login")),
        settings.public_url,
    )
