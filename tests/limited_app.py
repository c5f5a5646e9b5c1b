"""An application that says which process answered, for the tests of limits across several of them."""

import sqlalchemy as sa

from colonnade import Database, create_app, load_settings, rate_limits
from colonnade.core.settings import Settings
from tests.serving_workers import Named

settings = load_settings(Settings)
metadata = sa.MetaData()
rate_limits(metadata)

database = Database(settings.database_url.get_secret_value(), metadata=metadata)
app = Named(create_app([], settings=settings, database=database))
