"""An application that says which process answered, for the tests of limits across several of them."""

import os

import sqlalchemy as sa
from fastapi import APIRouter

from colonnade import Database, create_app, load_settings, rate_limits
from colonnade.core.settings import Settings

settings = load_settings(Settings)
router = APIRouter()
metadata = sa.MetaData()
rate_limits(metadata)


@router.get("/process")
async def process() -> int:
    """Give the id of the process."""
    return os.getpid()


app = create_app(
    [router], settings=settings, database=Database(settings.database_url.get_secret_value(), metadata=metadata)
)
