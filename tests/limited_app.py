"""An application that says which process answered, for the tests of limits across several of them."""

import os

import sqlalchemy as sa
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade import Database, create_app, load_settings, rate_limits
from colonnade.core.settings import Settings

settings = load_settings(Settings)
metadata = sa.MetaData()
rate_limits(metadata)
PROCESS = (b"x-process", str(os.getpid()).encode())


class Named:
    """An application whose answers carry the id of its process."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with a header more (ASGI)."""

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], PROCESS]
            await send(message)

        await self.app(scope, receive, send_named)


database = Database(settings.database_url.get_secret_value(), metadata=metadata)
app = Named(create_app([], settings=settings, database=database))
