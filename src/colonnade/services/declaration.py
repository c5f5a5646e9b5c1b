"""Checking a resource when it is declared: what can't work is said then, and not by the first request that meets it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import TableFacts
from colonnade.policy.policy import Policy
from colonnade.schemas.derive import account_address
from colonnade.services.blueprint import Blueprint
from colonnade.services.hooks import Service

_HOOKS = frozenset(name for name in vars(Service) if not name.startswith("_"))
_AWAITED = sorted(name for name in _HOOKS if inspect.iscoroutinefunction(vars(Service)[name]))


def check_blueprint(blueprint: Blueprint, policy: Policy | None = None) -> None:
    """Refuse a resource whose schemas, service or policy can't work with its table.

    Raises:
        DeclarationError: every fault that was found, one a line.
    """
    faults = [*_service_faults(blueprint.service)]
    if not faults:
        faults = [*_response_faults(blueprint), *_create_faults(blueprint)]
        faults += [*_address_faults(blueprint), *_policy_faults(blueprint, policy)]
    if faults:
        raise DeclarationError("\n".join(f"{blueprint.label}: {fault}" for fault in faults))


def _service_faults(service: object) -> Iterator[str]:
    if isinstance(service, type):
        yield f"service is the class {service.__name__}; give an instance of it: {service.__name__}()"
        return
    if not isinstance(service, Service):
        yield f"service is a {type(service).__name__}, not a colonnade.Service"
        return
    for name, member in vars(type(service)).items():
        if name.startswith(("before_", "after_")) and inspect.isfunction(member) and name not in _HOOKS:
            meant = difflib.get_close_matches(name, _HOOKS, 1)
            yield f"{type(service).__name__}.{name} is no hook and never runs" + (
                f"; meant {meant[0]}?" if meant else ""
            )
    yield from _wrongly_defined(type(service))


def _wrongly_defined(service: type[Service]) -> Iterator[str]:
    """Find hooks that can't be called as they are: the first change that met one would be answered by a 500."""
    for name in _AWAITED:
        hook = inspect.unwrap(getattr(service, name))
        if inspect.isfunction(hook) and not inspect.iscoroutinefunction(hook):
            yield (
                f"{service.__name__}.{name} is awaited; write async def {name}, and give slow work that can't wait to a "
                "thread: await anyio.to_thread.run_sync(...)"
            )
    if inspect.iscoroutinefunction(service.jobs):
        yield f"{service.__name__}.jobs is not awaited; write def jobs"


def _response_faults(blueprint: Blueprint) -> Iterator[str]:
    for name, field in blueprint.response.model_fields.items():
        source = field.validation_alias or field.alias
        if field.is_required() and source is None and not hasattr(blueprint.facts.model, name):
            yield f"{blueprint.response.__name__}.{name} is shown, but the model has no such attribute"


def _create_faults(blueprint: Blueprint) -> Iterator[str]:
    service, facts = blueprint.service, blueprint.facts
    if service.overrides("prepare") or service.overrides("before_create"):
        return  # a hook may turn what is sent into what is stored
    name = blueprint.create.__name__
    for key in _not_columns(blueprint.create, facts):
        yield f"{name}.{key} is no column; add one, or take it out of change.values in a hook"
    for key, column in facts.columns.items():
        if not (column.has_default or column.server_owned or key in blueprint.create.model_fields):
            yield f"{name} lacks '{key}', which every new row needs; a hook or a default may give it"


def _address_faults(blueprint: Blueprint) -> Iterator[str]:
    """Find addresses of accounts that would be stored as somebody wrote them: the login looks for them case folded."""
    address = account_address(blueprint.facts)
    for schema in (blueprint.create, blueprint.update):
        field = schema.model_fields.get(address)
        if field is None:
            continue
        taken: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        with suppress(ValidationError):
            if taken.validate_python("Ada@Example.COM") != "ada@example.com":
                yield (
                    f"{schema.__name__}.{address} keeps capital letters, and the account could not sign in by it; write "
                    f"{address}: Email (from colonnade)"
                )


def _policy_faults(blueprint: Blueprint, policy: Policy | None) -> Iterator[str]:
    if policy is not None:
        shown = {*blueprint.response.model_fields, *blueprint.response.model_computed_fields}
        sent = {*blueprint.create.model_fields, *blueprint.update.model_fields}
        yield from policy.faults(blueprint.facts, shown, sent)


def _not_columns(schema: type[BaseModel], facts: TableFacts) -> list[str]:
    return [key for key in schema.model_fields if key not in facts.columns]
