"""Who is signed in, here and by the API."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin import CustomView, route
from starlette_admin.flash import flash, get_flashed_messages

from colonnade.api.route import Runtime, runtime_of


class SessionsView(CustomView):
    """The sessions that still run, the latest first, each with a way to end it.

    Args:
        app: the application whose accounts they are of.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(menu_label="Signed in", path="/signed-in", icon="fa-solid fa-user-check")
        self._app = app

    @route("", methods=["GET", "POST"], name="signed-in")
    async def index(self, request: Request) -> Response:
        """Show the sessions; a POST ends the one that its form names."""
        accounts, database = self._runtime.accounts, self._runtime.database
        assert accounts is not None  # the site is not made without them
        if request.method == "POST":
            name = (await request.form()).get("session")
            await accounts.sessions.end(database, str(name), None)
            flash(request, "The session has ended.", "success")
            return RedirectResponse(request.url.path, 303)
        assert self.templates is not None  # set when the view was added
        return self.templates.TemplateResponse(
            request,
            "signed_in.html",
            {
                "title": self.menu_label,
                "sessions": await accounts.sessions.running(database),
                "own": request.session.get("session"),
                "flashed_messages": get_flashed_messages(request),
            },
        )

    @property
    def _runtime(self) -> Runtime:
        return runtime_of(self._app)
