"""What Alembic runs for `colonnade db ...`: the models that count, and nothing else."""

import app.models  # noqa: F401 - each model puts its table into Base.metadata when it is imported
from colonnade import Base, run_migrations

run_migrations(Base.metadata)
