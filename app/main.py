"""The entry point: `app` is what a server serves (`colonnade serve`, `uvicorn app.main:app`)."""

from pathlib import Path

from fastapi import FastAPI

from app.api import TAGS, VERSIONS
from app.core.config import settings
from app.core.database import database
from app.core.mail import mail
from app.core.security import accounts
from app.core.webhooks import webhooks
from colonnade import Admin, Database, Settings, create_app, migrations_applied

MIGRATIONS = Path(__file__).parents[1] / "migrations"

DESCRIPTION = """
The reference application of Colonnade: users with profiles and posts, and a shop with categories, products and orders.

Lists come in pages (`page`, `page_size`, or `skip`, `limit`), filtered by `field=value` or `field__operator=value` and
sorted by `sort=-created_at,id`. Every refusal is a problem document (RFC 9457).
"""


def build(settings: Settings, database: Database) -> FastAPI:
    """Make the application.

    Args:
        settings: prefix, origins, limits, ...
        database: where it keeps everything; disposed of when the application stops.

    Returns:
        The application, not started yet; a test makes one on a database of its own.
    """
    app = create_app(
        VERSIONS,
        settings=settings,
        database=database,
        accounts=accounts,
        # In development and test the tables are made when it starts.
        checks=[migrations_applied(MIGRATIONS)] if settings.env in {"staging", "production"} else [],
        jobs=[mail.job, *webhooks.jobs],
        title="Colonnade reference application",
        summary="Users and their posts, products and orders.",
        description=DESCRIPTION,
        version="0.1.0",
        contact={"name": "Colonnade", "url": "https://example.com/colonnade", "email": "colonnade@example.com"},
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
    )
    if settings.admin:
        Admin("The shop's back office").mount(app, VERSIONS["v1"], f"{settings.api_prefix}/v1")
    return app


app = build(settings, database)
