"""`Admin`: the administrator's page of an application, made of its resources."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette_admin import BaseAdmin
from starlette_admin.export import ExportConfig
from starlette_admin.importers.base import ImportConfig

from colonnade.admin.client import ResourceClient
from colonnade.admin.content_policy import InlineScripts
from colonnade.admin.forms_token import SessionTokens
from colonnade.admin.login import AccountLogin, SignedCookie
from colonnade.admin.operations import OperationsView
from colonnade.admin.sessions import SessionsView
from colonnade.admin.views import MAX_EXPORT, DeletedView, ResourceView
from colonnade.api.resource import Resource
from colonnade.api.route import runtime_of
from colonnade.core.errors import DeclarationError
from colonnade.models.accounts import AccountMixin
from colonnade.security.keys import derive_key
from colonnade.services.bulk import MAX_ITEMS

PATH = "/admin"

# Below a warning it writes what is typed into forms, names and passwords among it.
logging.getLogger("starlette_admin").setLevel(logging.WARNING)

_TEMPLATES = Path(__file__).parent / "templates"


class Admin:
    """The page at `/admin`: lists, forms, deleted rows and sessions of an application's resources.

    Args:
        title: stands in its corner and in the browser's.
        role: of the accounts that it lets in.
    """

    def __init__(self, title: str = "Administration", *, role: str = "admin") -> None:
        self.title = title
        self.role = role

    def mount(self, app: FastAPI, resources: Sequence[Resource | APIRouter], prefix: str) -> None:
        """Put the page into an application.

        Args:
            app: with accounts.
            resources: that it shows, in this order; routers are left out.
            prefix: before their paths, e.g. `/api/v1`.

        Raises:
            DeclarationError: the application has no accounts to sign in with.
        """
        runtime = runtime_of(app)
        if runtime.accounts is None:
            raise DeclarationError("the administrator's page needs accounts to sign in with: create_app(accounts=...)")
        site = _Site(
            self.title,
            PATH,
            templates_dir=str(_TEMPLATES),
            auth_provider=AccountLogin(app, self.role),
            secret_key=derive_key(runtime.seal.key, b"admin forms").hex(),
            middlewares=[
                Middleware(SignedCookie, secret=derive_key(runtime.seal.key, b"admin session").hex(), path=PATH)
            ],
            favicon_url="data:,",
            export_config=ExportConfig(max_rows=MAX_EXPORT),
            import_config=ImportConfig(max_rows=MAX_ITEMS),  # of one transaction
        )
        for view in _views(app, resources, prefix):
            site.add_view(view)
        site.add_view(SessionsView(app))
        site.add_view(OperationsView(app))
        site.mount_to(app)
        app.add_route(PATH, _enter, include_in_schema=False)


class _Site(BaseAdmin):
    """The library's site, with tokens that are bound to a session, and scripts that are known by a nonce."""

    def _init_csrf(self) -> None:
        assert self.secret_key is not None  # given above
        self.middlewares.append(Middleware(SessionTokens, secret_key=self.secret_key))

    def _setup_templates(self) -> None:
        super()._setup_templates()
        self.templates.env.add_extension(InlineScripts)


async def _enter(_: Request) -> RedirectResponse:
    """Lead who leaves out the last slash to the page; a relative address holds below any root and for any Host."""
    return RedirectResponse(f"{PATH.rpartition('/')[2]}/")


def _views(app: FastAPI, resources: Sequence[Resource | APIRouter], prefix: str) -> list[ResourceView]:
    clients = [ResourceClient(app, part, prefix) for part in resources if isinstance(part, Resource)]
    listed = [client for client in clients if client.can("GET", "") and client.can("GET", "/{id}")]
    views = {client.resource.blueprint.facts.table.name: client.resource.path for client in listed}
    deleted = [client for client in listed if client.resource.rules.view.deleted]
    accounts = next(
        (client for client in listed if issubclass(client.resource.blueprint.facts.model, AccountMixin)), None
    )
    return [
        *(ResourceView(client, views, accounts) for client in listed),
        *(DeletedView(client, views, accounts) for client in deleted if client.can("POST", "/{id}/restore")),
    ]
