"""Reads counts of an edge from the text of its `/metrics`."""

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from consumers.console.figures.counted import (
    DELIVERIES,
    KEYS,
    REASONS,
    CounterSeries,
    growth,
    read_counted,
)
from consumers.console.figures.figures import OUTCOMES as SHOWN
from router.edge.metrics import EdgeMetrics
from router.edge.outcomes import OUTCOMES
from tests.parts.edge.many_endpoints import endpoints

NOW = datetime(2026, 11, 30, 20, tzinfo=UTC)
NAME = "merchant-0000"


def test_the_counters_of_a_real_edge_are_read() -> None:
    registry = CollectorRegistry()
    known = endpoints(2)
    metrics = EdgeMetrics(registry, known)
    metrics.of(NAME).answered("accepted", "none", "fp:0123456789ab", 0.1)
    metrics.of(NAME).answered("refused", "signature_wrong", None, 0.1)
    metrics.genuine(NAME, NOW, None)

    counted = read_counted(generate_latest(registry).decode())

    provider = known[0].provider.name
    counts = {series: value for series, value in counted.counters.items() if value}
    assert counts == {
        (DELIVERIES, NAME, "accepted"): 1,
        (DELIVERIES, NAME, "refused"): 1,
        (KEYS, NAME, "fp:0123456789ab"): 1,
        (REASONS, provider, "refused", "signature_wrong"): 1,
    }
    assert counted.last_genuine == {NAME: NOW.timestamp(), "merchant-0001": 0.0}


def test_the_outcomes_are_those_of_the_edge() -> None:
    assert SHOWN == OUTCOMES


@pytest.mark.parametrize("text", ["", "<html>", "payrouter_deliveries_total{", "up 1\n"])
def test_a_text_that_is_not_an_edges_metrics_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_counted(text)


def test_growth_is_what_was_added_and_a_restart_begins_at_zero() -> None:
    accepted, refused, failed = (
        (DELIVERIES, NAME, outcome) for outcome in ("accepted", "refused", "failed")
    )
    before: dict[CounterSeries, float] = {accepted: 5.0, refused: 7.0, failed: 1.0}
    now: dict[CounterSeries, float] = {accepted: 8.0, refused: 2.0, failed: 1.0}
    assert growth(before, now) == {accepted: 3, refused: 2}
