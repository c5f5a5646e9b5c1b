"""Who is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_APPLICATION = Path(__file__).resolve().parent.parent / "app" / "main.py"


@dataclass(frozen=True, slots=True)
class Contender:
    """One application that serves the users table.

    `target` is what uvicorn imports; `environment` is laid over the benchmark's own. Who `signs_in` sends a token with every
    request.
    """

    name: str
    label: str
    target: str
    environment: Mapping[str, str] = field(default_factory=dict)
    signs_in: bool = False


# A deployment's settings. Only the general rate limit is lifted: all the load comes from one
# client, and a 429 is not what is measured here.
_PRODUCTION = {
    "ENV": "production",
    "SECRET_KEY": "a-benchmark-needs-no-secret-but-32-bytes",
    "RATE_LIMIT": "off",
}

# The administrator who signs in; made when the application starts.
ADMIN = {"ADMIN_EMAIL": "admin@example.com", "ADMIN_PASSWORD": "a-benchmark-1843"}

# No peer asks who calls, so that this one is measured twice: where everybody is let in, and as it is deployed, with a token
# that is checked against its session's row and a limit that is counted at every request.
COLONNADE = Contender("colonnade", "Colonnade", "benchmarks.everybody:app", _PRODUCTION)
SIGNED_IN = Contender(
    "signed_in",
    "Colonnade, signed in and limited",
    "app.main:app",
    {**_PRODUCTION, **ADMIN, "RATE_LIMIT": "100000000/minute"},
    signs_in=True,
)
GUIDE_C = Contender("guide_c", "guide C: AsyncSession", "benchmarks.guide_c:app")
GUIDE_B = Contender("guide_b", "guide B: sync Session", "benchmarks.guide_b:app")
FASTCRUD = Contender("fastcrud", "FastCRUD", "benchmarks.fastcrud_peer:app")


def limit(dialect: str) -> Contender:
    """The shortest way that CPython allows on a dialect."""
    driver = {"postgresql": "asyncpg", "sqlite": "sqlite3"}[dialect]
    return Contender("limit", f"the limit: bare {driver}", f"benchmarks.limit_{dialect}:app")


def reference_exists() -> bool:
    """Whether the reference application has been written yet."""
    return _APPLICATION.exists()


def contenders(dialect: str) -> list[Contender]:
    """Those compared on a dialect, in the order in which they take their turns."""
    ours = [COLONNADE, SIGNED_IN] if reference_exists() else []
    return [limit(dialect), *ours, GUIDE_C, GUIDE_B, FASTCRUD]
