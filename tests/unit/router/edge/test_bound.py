"""The rate limit per name and minute."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.edge.bound import PerMinute


@dataclass
class _Watch:
    """A clock that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.now


def _taken(bound: PerMinute, name: str, times: int) -> int:
    return sum(bound(name) for _ in range(times))


@pytest.mark.parametrize("limit", [0, 1, 2, 60])
def test_up_to_the_limit_pass_at_once(limit: int) -> None:
    assert _taken(PerMinute(limit, _Watch()), "shop", limit + 5) == limit


def test_each_name_has_its_own_limit() -> None:
    bound = PerMinute(2, _Watch())

    assert [_taken(bound, name, 5) for name in ("shop", "other", "shop")] == [2, 2, 0]


def test_tokens_are_refilled_over_a_minute() -> None:
    watch = _Watch()
    bound = PerMinute(6, watch)
    _taken(bound, "shop", 6)

    counts = []
    for seconds in (9.9, 0.2, 30, 600):
        watch.now += seconds
        counts.append(_taken(bound, "shop", 100))

    assert counts == [0, 1, 3, 6]


def test_refused_requests_do_not_delay_the_refill() -> None:
    watch = _Watch()
    bound = PerMinute(1, watch)
    bound("shop")

    taken = 0
    for _ in range(61):
        watch.now += 1
        taken += bound("shop")

    assert taken == 1


@given(
    limit=st.integers(0, 100),
    pauses=st.lists(st.floats(0, 100, allow_nan=False), max_size=200),
)
def test_never_more_than_the_limit_and_the_refill_pass(limit: int, pauses: list[float]) -> None:
    watch = _Watch()
    bound = PerMinute(limit, watch)

    taken = 0
    for pause in pauses:
        watch.now += pause
        taken += bound("shop")

    assert taken <= limit + sum(pauses) * limit / 60 + 1e-6
