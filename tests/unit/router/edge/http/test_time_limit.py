"""A time limit calls its function at the moment set last, with few timers."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.edge.http.bounds import TimeLimit


class _Timer:
    def __init__(self, moment: float, call: Callable[[], None]) -> None:
        self.moment, self.call = moment, call
        self.waits = True

    def when(self) -> float:
        return self.moment

    def cancel(self) -> None:
        self.waits = False


class _Loop:
    """A loop whose clock changes only in `run`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[_Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, moment: float, call: Callable[[], None]) -> _Timer:
        self.timers.append(_Timer(moment, call))
        return self.timers[-1]

    def run(self, until: float) -> None:
        while waiting := [each for each in self.timers if each.waits and each.moment <= until]:
            first = min(waiting, key=_Timer.when)
            first.waits = False
            self.now = max(self.now, first.moment)
            first.call()
        self.now = until


@pytest.fixture
def loop() -> _Loop:
    return _Loop()


def _limit(loop: _Loop) -> tuple[TimeLimit, list[float]]:
    called: list[float] = []
    limit = TimeLimit(cast("Any", loop), lambda: called.append(loop.now - 100))
    return limit, called


def test_it_is_called_once_at_the_moment_set_last(loop: _Loop) -> None:
    limit, called = _limit(loop)
    limit.set(5)
    loop.run(103)
    limit.set(5)
    assert limit.is_set

    loop.run(120)

    assert called == [8]
    assert not limit.is_set


def test_a_shorter_limit_does_not_wait_for_the_timer_of_a_longer_one(loop: _Loop) -> None:
    limit, called = _limit(loop)
    limit.set(10)
    limit.stop()
    limit.set(1)

    loop.run(120)

    assert called == [1]


def test_a_limit_that_was_stopped_is_not_called(loop: _Loop) -> None:
    limit, called = _limit(loop)
    limit.set(5)
    limit.stop()
    assert not limit.is_set

    loop.run(120)

    assert called == []


def test_a_limit_that_ended_keeps_no_timer(loop: _Loop) -> None:
    limit, called = _limit(loop)
    limit.set(5)
    limit.end()

    assert not any(timer.waits for timer in loop.timers)
    loop.run(120)
    assert called == []


def test_a_limit_that_is_set_for_every_request_needs_few_timers(loop: _Loop) -> None:
    limit, called = _limit(loop)
    for request in range(1000):
        limit.set(5)
        loop.run(100 + request / 100)
        limit.stop()

    assert len(loop.timers) <= 3
    assert called == []


_STEP = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 20)),
    st.tuples(st.just("stop"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 20)),
)


@given(st.lists(_STEP, max_size=30))
def test_it_is_called_when_a_plain_timer_would_be(steps: list[tuple[str, int]]) -> None:
    loop, plain = _Loop(), _Loop()
    limit, called = _limit(loop)
    expected: list[float] = []
    timer: Any = None
    for step, seconds in steps:
        if step == "wait":
            loop.run(loop.now + seconds)
            plain.run(plain.now + seconds)
            continue
        if timer is not None:
            timer.cancel()
        if step == "set":
            limit.set(seconds)
            timer = plain.call_at(plain.now + seconds, lambda: expected.append(plain.now - 100))
        else:
            limit.stop()

    assert called == expected
