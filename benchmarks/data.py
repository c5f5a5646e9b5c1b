"""The rows that every contender serves: the same users, made the same way every time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

ROWS = 100_000

# The reference application's users table, in the order in which a row is seeded.
COLUMNS = (
    "id",
    "email",
    "username",
    "full_name",
    "bio",
    "role",
    "is_active",
    "hashed_password",
    "version",
    "last_login_at",
    "created_at",
    "updated_at",
)
# What a client sees of it: everything except the hash.
PUBLIC = tuple(name for name in COLUMNS if name != "hashed_password")

_FIRST = ("Ada", "Björn", "Chidi", "Dörte", "Élise", "Farid", "Grace", "Hiroko", "Ines", "Jānis")
_LAST = ("Abe", "Brandt", "Curie", "Diallo", "Eco", "Fermi", "Gödel", "Hopper", "Ito", "Jansen")
_ROLES = ("user",) * 9 + ("admin",)
_TOPICS = ("bridges", "tides", "typefaces", "bees", "old maps", "compilers", "choirs")
# As long as a real Argon2id hash; nobody logs in here.
_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "s" * 22 + "$" + "h" * 43
_EPOCH = datetime(2024, 1, 1, 8, 30, tzinfo=UTC)

Value = int | str | bool | datetime | None


def user(number: int) -> dict[str, Value]:
    """One user by id, from 1; the same number always gives the same row."""
    # A prime step spreads the microseconds, so that no two neighbours share a text.
    created = _EPOCH + timedelta(minutes=7 * number, microseconds=number * 7919 % 1_000_000)
    first, last = _FIRST[number % 10], _LAST[number // 10 % 10]
    topic = _TOPICS[number % 7]
    return {
        "id": number,
        "email": f"user{number}@example.com",
        "username": f"user_{number}",
        "full_name": f"{first} {last}",
        "bio": f"Writes about {topic}, mostly in the evening, in a village of {number} souls." if number % 5 else None,
        "role": _ROLES[number % 10],
        "is_active": number % 20 != 0,
        "hashed_password": _HASH,
        "version": 1,
        "last_login_at": None if number % 3 == 0 else created + timedelta(days=3, hours=1),
        "created_at": created,
        "updated_at": created,
    }


def rows(count: int = ROWS) -> Iterator[tuple[Value, ...]]:
    """The users 1 to `count`, each a tuple in the order of `COLUMNS`."""
    return (tuple(user(number).values()) for number in range(1, count + 1))
