"""A client's window: how many requests any stretch of time lets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colonnade.core.errors import DeclarationError
from colonnade.limits import memory
from colonnade.limits.memory import MemoryCounter
from colonnade.limits.rate import Rate, read_rate
from colonnade.limits.window import PARTS, MovingWindow

RATE = Rate(5, 60)


def accepted(rate: Rate, times: list[float]) -> list[float]:
    """Ask at these times; when it was granted."""
    window = MovingWindow(rate)
    return [at for at in times if window.take(at).accepted]


@given(
    times=st.lists(st.floats(0, 300, allow_nan=False), max_size=200).map(sorted),
    rate=st.builds(Rate, st.integers(1, 20), st.sampled_from([1, 60])),
)
def test_no_stretch_of_the_window_has_more_than_the_limit(times: list[float], rate: Rate) -> None:
    """S32: whatever comes when, any minute lets at most so many through, around every edge."""
    granted = accepted(rate, times)
    for number, first in enumerate(granted):
        assert sum(1 for at in granted[number:] if at - first < rate.seconds * (1 - 1e-9)) <= rate.requests


@given(times=st.lists(st.floats(0, 300, allow_nan=False), max_size=200).map(sorted))
def test_nobody_is_refused_much_longer_than_needed(times: list[float]) -> None:
    """S32: a refusal means that the limit was used up within a window and a hundredth of it."""
    window, granted = MovingWindow(RATE), []
    for at in times:
        if window.take(at).accepted:
            granted.append(at)
        else:
            recent = [earlier for earlier in granted if at - earlier <= RATE.seconds * (1 + 1 / PARTS)]
            assert len(recent) >= RATE.requests


def test_a_burst_gets_as_many_as_the_limit_and_the_rest_must_wait() -> None:
    """S32: of ten at once five pass, and a minute later five more."""
    assert accepted(RATE, [0.0] * 10 + [59.9] * 3 + [60.0] * 10) == [0.0] * 5 + [60.0] * 5


def test_who_is_refused_is_told_when_to_come_back() -> None:
    """S32: after as many seconds as a refusal says, the next request passes."""
    window = MovingWindow(RATE)
    verdicts = [window.take(at) for at in (0.0, 10.0, 20.0, 30.0, 40.0, 45.0)]
    assert [verdict.remaining for verdict in verdicts] == [4, 3, 2, 1, 0, 0]
    assert (verdicts[-1].accepted, verdicts[-1].reset) == (False, 15.0)
    assert window.take(60.0).accepted


def test_refused_requests_do_not_prolong_the_wait() -> None:
    """S32: hammering meanwhile changes nothing."""
    assert accepted(RATE, [0.0] * 5 + [at / 10 for at in range(1, 600)] + [60.0]) == [0.0] * 5 + [60.0]


def test_a_window_goes_on_from_what_was_kept() -> None:
    """S32: what one process stored another one goes on from."""
    window = MovingWindow(RATE)
    for _ in range(4):
        window.take(1.0)
    later = MovingWindow(RATE, window.parts)
    assert [later.take(2.0).accepted for _ in range(3)] == [True, False, False]


def test_many_requests_are_remembered_in_few_parts() -> None:
    """S32: a million a minute are remembered as a hundred figures."""
    window = MovingWindow(Rate(1_000_000, 60))
    for number in range(6_000):
        window.take(number / 100)
    assert len(window.parts) <= PARTS


def test_clients_are_counted_apart() -> None:
    """S32: one client's requests are not another one's."""
    counter = MemoryCounter(Rate(1, 60))
    assert [counter.take(client).accepted for client in ("a", "b", "a", "b")] == [True, True, False, False]


def test_clients_who_went_away_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """S32: who has not asked for a window is dropped, who has is not, and the number of them is bounded."""
    now = 0.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    monkeypatch.setattr(memory, "MAX_CLIENTS", 100)
    counter = MemoryCounter(Rate(2, 60))
    for number in range(1_000):
        counter.take(str(number))
    assert len(counter._young) + len(counter._old) <= 200
    now = 1.0
    assert counter.take("999").remaining == 0
    now = 70.0
    counter.take("one")
    now = 140.0
    counter.take("two")
    assert set(counter._young) | set(counter._old) == {"one", "two"}


@pytest.mark.parametrize("text", ["", "100", "100/fortnight", "0/minute", "-1/second", "off", "1/minute/hour"])
def test_what_is_no_rate_is_refused_where_it_is_declared(text: str) -> None:
    """S32: a misspelt rate is told when the program starts."""
    with pytest.raises(DeclarationError, match="rate"):
        read_rate(text)


def test_a_rate_is_read() -> None:
    """S32: `100/minute` is a hundred in any sixty seconds."""
    assert read_rate("100/minute") == (100, 60)
