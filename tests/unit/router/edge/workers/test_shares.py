"""A configured budget is that of the whole edge, however many workers share it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.configuration.settings import EdgeSettings, Settings, settings_from
from router.edge.app import build_edge
from router.edge.workers.shares import share, share_of
from router.errors import ConfigurationError
from tests.parts.edge.edge_server import configuration


def _settings(**edge: Any) -> Settings:  # noqa: ANN401 - of any key
    return settings_from(configuration("127.0.0.1:1", "", **edge))


def _shares(workers: int, **edge: Any) -> list[EdgeSettings]:  # noqa: ANN401 - of any key
    settings = _settings(workers=workers, **edge)
    return [share_of(settings, number, workers).edge for number in range(1, workers + 1)]


@given(whole=st.integers(0, 10**9), workers=st.integers(1, 64))
def test_shares_add_up_and_differ_by_one_at_most(whole: int, workers: int) -> None:
    shares = [share(whole, number, workers) for number in range(1, workers + 1)]

    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


@given(workers=st.integers(1, 16), places=st.integers(16, 600), unproved=st.integers(16, 2000))
def test_budgets_of_all_workers_are_those_configured(
    workers: int, places: int, unproved: int
) -> None:
    shares = _shares(workers, max_in_flight=places, max_unproved=unproved)

    assert sum(each.max_in_flight for each in shares) == places
    assert sum(each.max_unproved for each in shares) == unproved
    assert sum(each.unproved_bytes for each in shares) == EdgeSettings().unproved_bytes


@pytest.mark.parametrize(
    ("configured", "expected"), [(0, [0, 0, 0]), (1, [1, 1, 1]), (3, [1, 1, 1]), (10, [4, 3, 3])]
)
def test_an_allowance_is_at_least_one_for_each_worker(configured: int, expected: list[int]) -> None:
    shares = _shares(3, stale_per_minute=configured, refused_per_minute=configured)

    assert [each.stale_per_minute for each in shares] == expected
    assert [each.refused_per_minute for each in shares] == expected


def test_one_worker_has_everything() -> None:
    settings = _settings()

    assert share_of(settings, 1, 1) == settings


def test_an_edge_of_a_share_exports_its_own_limits() -> None:
    registry = build_edge(share_of(_settings(workers=3, max_in_flight=100), 1, 3)).registry

    assert registry.get_sample_value("payrouter_deliveries_in_flight_limit") == 34


@pytest.mark.parametrize(
    ("edge", "problem"),
    [
        ({"max_in_flight": 3}, "max_in_flight is shared by all, and 3 is too little: 4 workers"),
        (
            {"unproved_bytes": 1024 * 1024, "body_limit_bytes": 512 * 1024},
            "unproved_bytes is shared by all, and 1048576 is too little",
        ),
        ({"workers": 65}, "less than or equal to 64"),
        ({"workers": 0}, "greater than or equal to 1"),
    ],
)
def test_budget_too_small_for_its_workers_is_refused(edge: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        _settings(**{"workers": 4, **edge})
