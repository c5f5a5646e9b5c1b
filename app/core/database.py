"""The application's one database; nothing is connected before its first use."""

import app.models  # noqa: F401 - each model puts its table into Base.metadata when it is imported
from app.core.config import settings
from colonnade import Base, Database

database = Database.from_settings(settings, Base.metadata)
