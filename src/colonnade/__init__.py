"""Colonnade: declare SQLAlchemy models and Pydantic schemas, get a production REST API.

Everything that an application needs is here; what is not here may change without notice.
"""

from colonnade.api.application import create_app, install
from colonnade.api.dependencies import get_db, get_sync_db
from colonnade.api.resource import Listing, Resource
from colonnade.api.route import get_database
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
from colonnade.database import Database, UnitOfWork
from colonnade.models.base import Base
from colonnade.models.mixins import IntegerId, Timestamps, UUIDv7Id, Versioned, utc_now
from colonnade.models.types import BigId, ExactDecimal, JsonDocument, UTCDateTime, value_enum
from colonnade.schemas.derive import Email, ExactNumber
from colonnade.services.hooks import Change, Service

__all__ = [
    "Base",
    "BigId",
    "Change",
    "ColonnadeError",
    "ConflictError",
    "Database",
    "DeclarationError",
    "Email",
    "ExactDecimal",
    "ExactNumber",
    "Fault",
    "ForbiddenError",
    "IntegerId",
    "JsonDocument",
    "Listing",
    "NotFoundError",
    "PoolSettings",
    "ProblemError",
    "Resource",
    "RuleError",
    "Service",
    "Settings",
    "Timestamps",
    "UTCDateTime",
    "UUIDv7Id",
    "UnauthenticatedError",
    "UniqueError",
    "UnitOfWork",
    "Versioned",
    "create_app",
    "get_database",
    "get_db",
    "get_sync_db",
    "install",
    "load_settings",
    "settings_or_exit",
    "utc_now",
    "value_enum",
]
