"""The routes of logins at outside providers. Needs `colonnade[oidc]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter

from colonnade.api.accounts.oidc_operations import LoginOutside, ReturnFromOutside
from colonnade.api.endpoint import Endpoint
from colonnade.api.endpoint_route import add_route
from colonnade.schemas.accounts import TokenPair
from colonnade.security.openid import OpenIDProvider
from colonnade.security.openid_client import OpenIDClient

_NEXT = {"name": "next", "in": "query", "required": False, "schema": {"type": "string", "pattern": "^/"}}
_SENT_BACK = [
    {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
    for name in ("code", "state", "iss", "error")
]
_REFUSED = {
    401: "The login does not hold",
    403: "No address is vouched for",
    409: "The address is another account's",
}


def add_providers(router: APIRouter, providers: Sequence[OpenIDProvider], public_url: str) -> None:
    """Add `/oidc/<name>/login` and `/oidc/<name>/callback` of each provider to the router of accounts."""
    for provider in providers:
        client, folder, name = OpenIDClient(provider), f"/oidc/{provider.name}", provider.name.replace("-", "_")
        begin = LoginOutside(client, public_url)
        end = ReturnFromOutside(client, public_url)
        login = Endpoint("GET", f"{folder}/login", begin, f"Sign in at {provider.name}", status=303)
        back = Endpoint("GET", f"{folder}/callback", end, f"Come back from {provider.name}", TokenPair, also=_REFUSED)
        login, back = replace(login, name=f"login_at_{name}"), replace(back, name=f"come_back_from_{name}")
        add_route(router, login, "auth", [_NEXT], None)
        add_route(router, back, "auth", _SENT_BACK, None)
