"""The router of the account routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from colonnade.api.accounts.form import MEDIA_TYPE
from colonnade.api.accounts.key_operations import CreateApiKey, ListApiKeys, RevokeApiKey
from colonnade.api.accounts.letter_operations import AskToVerify, ForgotPassword, ResetPassword, VerifyEmail
from colonnade.api.accounts.operations import ChangePassword, GetTokens, Logout, LogoutEverywhere, RefreshTokens
from colonnade.api.endpoint import Endpoint
from colonnade.api.endpoint_route import add_route
from colonnade.schemas.accounts import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyList,
    EmailBody,
    LinkBody,
    LogoutBody,
    PasswordChange,
    PasswordGrant,
    RefreshBody,
    ResetBody,
    TokenPair,
)

_LIMITED = {429: "Too many failed logins"}
_REFUSED = {401: "The credentials do not hold"}
_SIGNED_IN = {**_REFUSED, 403: "An API key can't do this"}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}


def account_router(*, mails: bool) -> APIRouter:
    """Make the router of `/auth`: it finds the accounts of the application that it answers in.

    Args:
        mails: the accounts have mail, and the routes that need it.
    """
    router = APIRouter(prefix="/auth", tags=["auth"], redirect_slashes=False)
    for endpoint in (*_endpoints(), *_key_endpoints(), *(_letter_endpoints() if mails else ())):
        described = [_ID] if "{id}" in endpoint.path else []
        add_route(router, endpoint, "auth", described, None)
    return router


def _endpoints() -> Iterator[Endpoint]:
    yield Endpoint(
        "POST",
        "/token",
        GetTokens(),
        "Sign in",
        TokenPair,
        status=200,
        also=_REFUSED | _LIMITED,
        request_body=_described(MEDIA_TYPE, PasswordGrant, required=True),
    )
    yield Endpoint(
        "POST", "/refresh", RefreshTokens(), "Continue a session", TokenPair, RefreshBody, status=200, also=_REFUSED
    )
    yield Endpoint(
        "POST",
        "/logout",
        Logout(),
        "Sign out",
        status=204,
        also=_REFUSED,
        request_body=_described("application/json", LogoutBody, required=False),
    )
    yield Endpoint("POST", "/logout-all", LogoutEverywhere(), "Sign out everywhere", status=204, also=_SIGNED_IN)
    yield Endpoint(
        "POST",
        "/password",
        ChangePassword(),
        "Change the password",
        None,
        PasswordChange,
        status=204,
        also=_SIGNED_IN | _LIMITED,
    )


def _key_endpoints() -> Iterator[Endpoint]:
    yield Endpoint("POST", "/api-keys", CreateApiKey(), "Make an API key", ApiKeyCreated, ApiKeyCreate, also=_SIGNED_IN)
    yield Endpoint("GET", "/api-keys", ListApiKeys(), "List the API keys", ApiKeyList, also=_SIGNED_IN)
    missing = {**_SIGNED_IN, 404: "No such key"}
    yield Endpoint("DELETE", "/api-keys/{id}", RevokeApiKey(), "Revoke an API key", also=missing)


def _letter_endpoints() -> Iterator[Endpoint]:
    yield Endpoint(
        "POST", "/verify-email/request", AskToVerify(), "Ask for a link to verify", status=204, also=_SIGNED_IN
    )
    yield Endpoint("POST", "/verify-email", VerifyEmail(), "Verify an address", None, LinkBody, status=204)
    yield Endpoint("POST", "/forgot-password", ForgotPassword(), "Ask for a link to reset", None, EmailBody, status=204)
    yield Endpoint("POST", "/reset-password", ResetPassword(), "Reset a password", None, ResetBody, status=204)


def _described(media: str, schema: type[BaseModel], *, required: bool) -> Mapping[str, Any]:
    """Describe a body that the operation reads by itself."""
    return {"required": required, "content": {media: {"schema": schema.model_json_schema()}}}
