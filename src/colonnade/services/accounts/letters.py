"""Letters to accounts: links to verify an e-mail address, and to choose a new password where the old one is forgotten.

A letter is asked for by its address alone, in the same words and with the same work whether there is such an account. The
job that delivers it looks, and the link is made there, so that no table ever has it.
"""

from __future__ import annotations

from hashlib import blake2b
from urllib.parse import quote

from colonnade.core.errors import Fault, RuleError
from colonnade.database.database import Database
from colonnade.jobs.declaration import job
from colonnade.jobs.run import JobRun
from colonnade.mail.mail import Mail
from colonnade.models.clock import utc_now
from colonnade.security.mailed_links import MailedLink, MailedLinks, Purpose, state_of
from colonnade.services.accounts.blueprint import Account, AccountBlueprint
from colonnade.services.accounts.passwords import Passwords

JOB = "colonnade.accounts.letter"


class Letters:
    """Sends links, and does what they are for.

    Args:
        accounts: to whom.
        passwords: sets new ones.
        links: writes and reads them.
        mail: has the templates `verify-email` and `reset-password`, which are given `link` and `token`.
        public_url: what links begin with: they lead to `/verify-email` and `/reset-password` below it.

    Attributes:
        job: what delivers a letter.
    """

    def __init__(
        self, accounts: AccountBlueprint, passwords: Passwords, links: MailedLinks, mail: Mail, public_url: str
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._links = links
        self._mail = mail
        self._public_url = public_url.rstrip("/")
        self.job = job(name=JOB, retries=8)(self._deliver)

    async def ask(self, database: Database, purpose: Purpose, address: str) -> None:
        """Ask for a letter: one INSERT, and none where the same one is on its way already."""
        key = f"{JOB}:{purpose}:{blake2b(address.encode(), digest_size=16).hexdigest()}"
        async with database.unit_of_work() as unit:
            await self.job.request(purpose, address).once(key).enqueue(unit)
            await unit.commit()

    async def ask_own(self, database: Database, id: object) -> None:
        """Ask for a letter to verify an account's own address; none where it is verified."""
        async with database.session(read_only=True) as session:
            account = await self._accounts.find_by_id(session, id)
        if account is not None and account.email is not None and account.email_verified_at is None:
            await self.ask(database, "verify-email", account.email)

    async def verify_email(self, database: Database, token: str) -> None:
        """Note that an account's address is its own.

        Raises:
            RuleError: CLN202, the link was used, is over, or the address is another one by now.
        """
        account = await self._account(database, "verify-email", token)

        async def once() -> bool:
            async with database.unit_of_work() as unit:
                done = await self._accounts.change(unit.session, account, email_verified_at=utc_now())
                await unit.commit()
            return done

        if not await database.retry(once):
            raise _refused()

    async def reset_password(self, database: Database, token: str, new: str) -> None:
        """Give an account a new password, and end its sessions; the address that the link went to is verified by it.

        Raises:
            RuleError: CLN202, the link was used, is over, or the password was changed since.
        """
        account = await self._account(database, "reset-password", token)
        verified = account.email_verified_at or utc_now()
        if not await self._passwords.set(database, account, new, email_verified_at=verified):
            raise _refused()

    async def _deliver(self, run: JobRun, purpose: Purpose, address: str) -> None:
        email = self._accounts.column(self._accounts.email or "")
        async with run.database.session(read_only=True) as session:
            account = await self._accounts.find(session, email == address)
        if account is None or not account.is_active or (purpose == "verify-email" and account.email_verified_at):
            return
        token = self._links.write(purpose, MailedLink(str(account.id), _state(purpose, account)))
        link = f"{self._public_url}/{purpose}?token={quote(token)}"
        await self._mail.send(run, purpose, to=address, link=link, token=token)

    async def _account(self, database: Database, purpose: Purpose, token: str) -> Account:
        """Find the account of a link that still fits it."""
        link = self._links.read(purpose, token)
        if link is not None:
            id = self._accounts.read_id(link.subject)
            async with database.session(read_only=True) as session:
                account = await self._accounts.find_by_id(session, id)
            if account is not None and account.is_active and _state(purpose, account) == link.state:
                return account
        raise _refused()


def _state(purpose: Purpose, account: Account) -> str:
    if purpose == "verify-email":
        return state_of(account.email, account.email_verified_at)
    return state_of(account.email, account.hashed_password, account.token_version)


def _refused() -> RuleError:
    fault = Fault("link_invalid", "This link was used, or is over; ask for another one.", pointer="/token")
    return RuleError("The link does not hold any longer.", faults=[fault])
