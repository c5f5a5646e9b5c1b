"""Colonnade: declare SQLAlchemy models and Pydantic schemas, get a production REST API.

Everything that an application needs is here; what is not here may change without notice.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colonnade.admin.site import Admin
    from colonnade.api.accounts.accounts import Accounts
    from colonnade.api.application import create_app, install
    from colonnade.api.dependencies import get_db, get_principal, get_sync_db
    from colonnade.api.exceptions import answer_with_problems
    from colonnade.api.health import migrations_applied
    from colonnade.api.resource import Listing, Resource, Routes, Schemas
    from colonnade.api.route import add_figures, get_database
    from colonnade.cache.declaration import Cache
    from colonnade.core.errors import (
        ColonnadeError,
        ConflictError,
        DeclarationError,
        Fault,
        ForbiddenError,
        NotFoundError,
        ProblemError,
        RuleError,
        UnauthenticatedError,
        UniqueError,
    )
    from colonnade.core.settings import PoolSettings, Settings, load_settings, settings_or_exit
    from colonnade.core.trace import get_request_id
    from colonnade.database import Database, UnitOfWork
    from colonnade.database.migrations import run_migrations
    from colonnade.database.sessions import session_state
    from colonnade.jobs.declaration import Job, job
    from colonnade.jobs.request import JobRequest
    from colonnade.jobs.run import JobRun
    from colonnade.jobs.worker import Worker
    from colonnade.mail.mail import Mail
    from colonnade.models.accounts import AccountMixin, account_tables
    from colonnade.models.base import Base
    from colonnade.models.cache_versions import cache_versions
    from colonnade.models.clock import utc_now
    from colonnade.models.full_text import full_text
    from colonnade.models.history import history_table
    from colonnade.models.idempotency import idempotency_keys
    from colonnade.models.jobs import job_table
    from colonnade.models.mixins import (
        IntegerId,
        SoftDelete,
        Timestamps,
        UUIDv7Id,
        Versioned,
        unique_among_alive,
        when_parent_deleted,
    )
    from colonnade.models.rate_limits import rate_limits
    from colonnade.models.types import BigId, ExactDecimal, JsonDocument, UTCDateTime, value_enum
    from colonnade.models.webhooks import WebhookMixin
    from colonnade.observation.figures import Figure
    from colonnade.policy.audience import anyone, role, signed_in
    from colonnade.policy.grant import allow
    from colonnade.policy.policy import Policy
    from colonnade.policy.principal import ANONYMOUS, Principal
    from colonnade.schemas.accounts import NewPassword
    from colonnade.schemas.derive import Email, ExactNumber
    from colonnade.schemas.webhooks import WebhookCreate, WebhookResponse, WebhookUpdate
    from colonnade.security.common_passwords import CommonPasswords
    from colonnade.security.openid import OpenIDProvider
    from colonnade.security.passwords import hash_password
    from colonnade.services.history import record_changes
    from colonnade.services.hooks import Change, Service
    from colonnade.services.webhooks import WebhookService
    from colonnade.webhooks.webhooks import Webhooks

# Where each name is found when it is first asked for: `colonnade --help` needs none of them, and the web and the
# database take a second to import.
_ROOMS = {
    "colonnade.admin.site": "Admin",
    "colonnade.api.accounts.accounts": "Accounts",
    "colonnade.api.application": "create_app install",
    "colonnade.api.dependencies": "get_db get_principal get_sync_db",
    "colonnade.api.exceptions": "answer_with_problems",
    "colonnade.api.health": "migrations_applied",
    "colonnade.api.resource": "Listing Resource Routes Schemas",
    "colonnade.api.route": "add_figures get_database",
    "colonnade.cache.declaration": "Cache",
    "colonnade.core.errors": "ColonnadeError ConflictError DeclarationError Fault ForbiddenError "
    "NotFoundError ProblemError RuleError UnauthenticatedError UniqueError",
    "colonnade.core.trace": "get_request_id",
    "colonnade.core.settings": "PoolSettings Settings load_settings settings_or_exit",
    "colonnade.database": "Database UnitOfWork",
    "colonnade.database.sessions": "session_state",
    "colonnade.database.migrations": "run_migrations",
    "colonnade.jobs.declaration": "Job job",
    "colonnade.jobs.request": "JobRequest",
    "colonnade.jobs.run": "JobRun",
    "colonnade.jobs.worker": "Worker",
    "colonnade.mail.mail": "Mail",
    "colonnade.models.accounts": "AccountMixin account_tables",
    "colonnade.models.base": "Base",
    "colonnade.models.cache_versions": "cache_versions",
    "colonnade.models.clock": "utc_now",
    "colonnade.models.full_text": "full_text",
    "colonnade.models.history": "history_table",
    "colonnade.models.idempotency": "idempotency_keys",
    "colonnade.models.jobs": "job_table",
    "colonnade.models.mixins": "IntegerId SoftDelete Timestamps UUIDv7Id Versioned "
    "unique_among_alive when_parent_deleted",
    "colonnade.models.rate_limits": "rate_limits",
    "colonnade.models.types": "BigId ExactDecimal JsonDocument UTCDateTime value_enum",
    "colonnade.policy.audience": "anyone role signed_in",
    "colonnade.policy.grant": "allow",
    "colonnade.policy.policy": "Policy",
    "colonnade.observation.figures": "Figure",
    "colonnade.policy.principal": "ANONYMOUS Principal",
    "colonnade.schemas.accounts": "NewPassword",
    "colonnade.schemas.derive": "Email ExactNumber",
    "colonnade.security.common_passwords": "CommonPasswords",
    "colonnade.security.openid": "OpenIDProvider",
    "colonnade.security.passwords": "hash_password",
    "colonnade.models.webhooks": "WebhookMixin",
    "colonnade.schemas.webhooks": "WebhookCreate WebhookResponse WebhookUpdate",
    "colonnade.services.history": "record_changes",
    "colonnade.services.hooks": "Change Service",
    "colonnade.services.webhooks": "WebhookService",
    "colonnade.webhooks.webhooks": "Webhooks",
}
_PLACES = {name: module for module, names in _ROOMS.items() for name in names.split()}

__all__ = [
    "ANONYMOUS",
    "AccountMixin",
    "Accounts",
    "Admin",
    "Base",
    "BigId",
    "Cache",
    "Change",
    "ColonnadeError",
    "CommonPasswords",
    "ConflictError",
    "Database",
    "DeclarationError",
    "Email",
    "ExactDecimal",
    "ExactNumber",
    "Fault",
    "Figure",
    "ForbiddenError",
    "IntegerId",
    "Job",
    "JobRequest",
    "JobRun",
    "JsonDocument",
    "Listing",
    "Mail",
    "NewPassword",
    "NotFoundError",
    "OpenIDProvider",
    "Policy",
    "PoolSettings",
    "Principal",
    "ProblemError",
    "Resource",
    "Routes",
    "RuleError",
    "Schemas",
    "Service",
    "Settings",
    "SoftDelete",
    "Timestamps",
    "UTCDateTime",
    "UUIDv7Id",
    "UnauthenticatedError",
    "UniqueError",
    "UnitOfWork",
    "Versioned",
    "WebhookCreate",
    "WebhookMixin",
    "WebhookResponse",
    "WebhookService",
    "WebhookUpdate",
    "Webhooks",
    "Worker",
    "account_tables",
    "add_figures",
    "allow",
    "answer_with_problems",
    "anyone",
    "cache_versions",
    "create_app",
    "full_text",
    "get_database",
    "get_db",
    "get_principal",
    "get_request_id",
    "get_sync_db",
    "hash_password",
    "history_table",
    "idempotency_keys",
    "install",
    "job",
    "job_table",
    "load_settings",
    "migrations_applied",
    "rate_limits",
    "record_changes",
    "role",
    "run_migrations",
    "session_state",
    "settings_or_exit",
    "signed_in",
    "unique_among_alive",
    "utc_now",
    "value_enum",
    "when_parent_deleted",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value
