"""How long somebody has to wait who fails again and again; the clock is the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from colonnade.security.login_limit import FORGOTTEN_AFTER, LONGEST_BLOCK, Failures, LoginLimit

LIMIT = LoginLimit(5, timedelta(minutes=1))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def failed(times: int, at: datetime = NOON, before: Failures | None = None) -> Failures | None:
    """Fail so many times at once."""
    for _ in range(times):
        before = LIMIT.after_failure(before, at)
    return before


def test_the_last_failure_that_is_allowed_begins_a_block() -> None:
    """S32: four are free, the fifth is told, and then it is a minute."""
    four, five = failed(4), failed(5)
    assert four is not None
    assert not four.wait(NOON)
    assert five is not None
    assert five.wait(NOON) == timedelta(minutes=1)
    assert five.wait(NOON + 59 * SECOND) == SECOND
    assert not five.wait(NOON + 60 * SECOND)


def test_failures_count_for_a_window() -> None:
    """S32: four in one minute and four in the next are no block."""
    later = failed(4, NOON + LIMIT.window, failed(4))
    assert later is not None
    assert later.blocked_until is None
    assert LIMIT.after_failure(later, NOON + LIMIT.window).blocked_until is not None


def test_each_block_is_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    """S32: 1, 2, 4, 8, 15, 15 minutes."""
    now, before, waits = NOON, None, []
    for _ in range(6):
        before = failed(5, now, before)
        assert before is not None
        waits.append(before.wait(now))
        now += before.wait(now)
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 15, 15)]
    assert max(waits) == LONGEST_BLOCK


def test_an_hour_of_quiet_forgets_everything() -> None:
    """S32: the next block is the shortest one again."""
    before = failed(5, NOON + LIMIT.window, failed(5))
    assert before is not None
    assert before.blocks == 2
    assert before.blocked_until is not None
    again = failed(5, before.blocked_until + FORGOTTEN_AFTER, before)
    assert again is not None
    assert (again.blocks, again.wait(before.blocked_until + FORGOTTEN_AFTER)) == (1, LIMIT.window)


def test_an_address_may_fail_more_often() -> None:
    """S32: behind one there are several people."""
    assert LIMIT.times(4) == LoginLimit(20, timedelta(minutes=1))
