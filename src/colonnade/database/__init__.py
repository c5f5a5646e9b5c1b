"""Engine, unit of work, running a statement on the driver's own connection, one module per dialect, errors told apart."""

from colonnade.database.database import Database
from colonnade.database.unit_of_work import UnitOfWork

__all__ = ["Database", "UnitOfWork"]
