"""The rules of users: a password is hashed before the transaction opens, off the event loop."""

from colonnade import Change, Service, hash_password


class UserService(Service):
    """Turns a new user's password into its hash."""

    async def prepare(self, change: Change) -> None:
        """Replace the password by its hash; nothing later sees the password."""
        if "password" in change.values:
            password = change.values.pop("password")
            change.values["hashed_password"] = await hash_password(password.get_secret_value())
