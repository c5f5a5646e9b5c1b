"""The application's mail; its templates stand in `app/templates`."""

from pathlib import Path

from app.core.config import settings
from colonnade import Mail

mail = Mail(Path(__file__).parents[1] / "templates", settings)
