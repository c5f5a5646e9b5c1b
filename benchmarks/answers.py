"""Whether a contender answers rightly; one that does not is not worth measuring."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from benchmarks.data import PUBLIC, ROWS, user
from benchmarks.errors import BenchmarkError
from benchmarks.observer import stored_user
from benchmarks.workers import Worker

_PATH = "/api/v1/users"
# What earlier turns may have changed.
_CHANGING = {"full_name", "version", "updated_at"}
_TIMES = {"last_login_at", "created_at", "updated_at"}


def verify(worker: Worker, database_url: str) -> None:
    """Raise `BenchmarkError` unless get, list and PATCH give the right rows and the change is stored."""
    with httpx.Client(base_url=worker.url, headers=worker.headers, timeout=30) as client:
        try:
            for number in (1, 2, 15, ROWS // 2, ROWS):
                _expect_user(_json(client.get(f"{_PATH}/{number}")), number)
            _expect_page(_json(client.get(_PATH, params={"skip": 37, "limit": 20, "count": "none"})), 37)
            _expect(client.get(f"{_PATH}/{ROWS * 2}").status_code, 404, "the status of a missing user")
            _expect_change(client, database_url)
        except BenchmarkError as error:
            raise BenchmarkError(f"{worker.contender.label} answers wrongly: {error}") from None


def _json(answer: httpx.Response) -> Any:
    _expect(answer.status_code, 200, f"the status of {answer.request.method} {answer.request.url}")
    _expect(answer.headers["content-type"].split(";")[0], "application/json", "the content type")
    return answer.json()


def _expect_user(seen: dict[str, Any], number: int) -> None:
    # A server may show more of a user than the others do, at its own cost; the reference application shows deletions.
    _expect(set(PUBLIC) & set(seen), set(PUBLIC), "the fields of a user")
    wanted = user(number)
    for name in set(PUBLIC) - _CHANGING:
        value = _time(seen[name]) if name in _TIMES else seen[name]
        _expect(value, wanted[name], f"{name} of user {number}")


def _expect_page(seen: Any, skip: int) -> None:
    # FastCRUD and the guides answer a bare list, Colonnade the collection under its name.
    found = seen if isinstance(seen, list) else seen["users"]
    _expect(len(found), 20, "the length of a page")
    for number, item in enumerate(found, skip + 1):
        _expect_user(item, number)


def _expect_change(client: httpx.Client, database_url: str) -> None:
    number = 4711
    _, version = stored_user(database_url, number)
    name = f"Checked {version} ß"
    seen = _json(client.patch(f"{_PATH}/{number}", json={"full_name": name}))
    _expect_user(seen, number)
    _expect((seen["full_name"], seen["version"]), (name, version + 1), "the answer to a change")
    _expect(stored_user(database_url, number), (name, version + 1), "the stored change")
    age = datetime.now(UTC) - (_time(seen["updated_at"]) or datetime.min.replace(tzinfo=UTC))
    _expect(abs(age.total_seconds()) < 60, True, "updated_at is now")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _expect(seen: object, wanted: object, what: str) -> None:
    if seen != wanted:
        raise BenchmarkError(f"{what}: {seen!r} instead of {wanted!r}")
