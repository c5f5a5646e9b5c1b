"""The rules of users: a password is hashed before the transaction opens, and who is new is welcomed by mail."""

from collections.abc import Iterator

from app.core.mail import mail
from app.core.security import common_passwords
from app.models.user import UserRole
from colonnade import Change, ConflictError, JobRequest, Service, hash_password


class UserService(Service):
    """Turns a new user's password into its hash, and sends a welcome."""

    async def prepare(self, change: Change) -> None:
        """Replace the password by its hash; nothing later sees the password."""
        _keep_an_administrator(change)
        if "password" in change.values:
            password = change.values.pop("password").get_secret_value()
            common_passwords.refuse(password, "/password")
            change.values["hashed_password"] = await hash_password(password)

    def jobs(self, change: Change) -> Iterator[JobRequest]:
        """Welcome a new user; the mail is asked for in the transaction that stores the account, so no crash loses it."""
        if change.action == "create":
            name = change.values.get("full_name") or change.values["username"]
            yield mail.request("welcome", to=change.values["email"], name=name)


def _keep_an_administrator(change: Change) -> None:
    """Have each administrator's power be ended by another one only: so there always is one who can give it back."""
    if change.principal.role != UserRole.ADMIN or change.principal.id != change.id:
        return
    values = change.values
    is_ended = values.get("role", UserRole.ADMIN) != UserRole.ADMIN or values.get("is_active", True) is False
    if is_ended or change.action == "delete":
        raise ConflictError("Another administrator has to do this, so that one is left.")
