"""What the routes around mailed links do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from colonnade.api.accounts.operations import DONE, read_json, services_of, signed_in
from colonnade.api.operations import Call
from colonnade.api.reply import Reply
from colonnade.api.route import runtime_of
from colonnade.limits.rate import Rate
from colonnade.query.parse import refuse_parameters
from colonnade.schemas.accounts import EmailBody, LinkBody, ResetBody
from colonnade.services.accounts.letters import Letters

RATE = Rate(3, 3600)
"""Letters to one address: nobody shall fill somebody's mailbox through us."""


def letters_of(call: Call) -> Letters:
    """Find what sends the application's letters."""
    letters = services_of(call).letters
    assert letters is not None  # or there would be no route
    return letters


async def may_be_sent(call: Call, address: object) -> bool:
    """Tell whether one more letter may go there; who asks is not told, since it would tell what others asked for."""
    limit = runtime_of(call.scope["app"]).limits.limit("letters", RATE)
    return (await limit.take(str(address))).accepted


@dataclass(frozen=True, slots=True)
class AskToVerify:
    """POST of nothing."""

    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Have a link mailed to the account's own address, which verifies it; three an hour at most."""
        refuse_parameters(call.scope["query_string"])
        principal = await signed_in(call)
        if await may_be_sent(call, principal.key):
            await letters_of(call).ask_own(call.database, principal.id)
        return DONE


@dataclass(frozen=True, slots=True)
class VerifyEmail:
    """POST of a link's token."""

    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Verify the address that the link was mailed to; the link is good for one use."""
        body = await read_json(call, LinkBody)
        await letters_of(call).verify_email(call.database, body.token.get_secret_value())
        return DONE


@dataclass(frozen=True, slots=True)
class ForgotPassword:
    """POST of an address."""

    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Have a link mailed by which a new password is chosen; three an hour at most.

        The answer is the same whether there is such an account.
        """
        body = await read_json(call, EmailBody)
        if await may_be_sent(call, body.email):
            await letters_of(call).ask(call.database, "reset-password", body.email)
        return DONE


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """POST of a link's token and a password."""

    apart: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Choose a new password by a mailed link, which is good for one use. Every session of the account ends."""
        body = await read_json(call, ResetBody)
        token, new = body.token.get_secret_value(), body.new_password.get_secret_value()
        await letters_of(call).reset_password(call.database, token, new)
        return DONE
