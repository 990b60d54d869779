"""Gauges of open cases: every kind has a series, and unknown is not zero."""

import math

import pytest
from prometheus_client import CollectorRegistry

from consumers.runtime.casebook.count import CaseCount
from consumers.runtime.cases.kind import CaseKind, Severity
from consumers.runtime.measures.cases import CaseMetrics
from tests.parts.runtime.parcels import HEAVY, LOST

OPEN, OLDEST = "payrouter_cases_open", "payrouter_case_oldest_age_seconds"


@pytest.fixture
def registry() -> CollectorRegistry:
    """Give an empty registry."""
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> CaseMetrics:
    """Give the gauges of a consumer with two kinds."""
    metrics = CaseMetrics(registry)
    metrics.begin("parcels", [HEAVY, LOST])
    return metrics


def value(registry: CollectorRegistry, name: str, kind: CaseKind) -> float:
    labels = {"consumer": "parcels", "kind": kind.name, "severity": kind.severity.value}
    found = registry.get_sample_value(name, labels)
    assert found is not None
    return found


def test_every_kind_is_unknown_before_the_first_reading(
    registry: CollectorRegistry, metrics: CaseMetrics
) -> None:
    del metrics
    found = [value(registry, name, kind) for name in (OPEN, OLDEST) for kind in (HEAVY, LOST)]
    assert all(map(math.isnan, found))


def test_kind_without_a_case_is_zero_until_the_store_is_away(
    registry: CollectorRegistry, metrics: CaseMetrics
) -> None:
    metrics.set("parcels", {LOST: CaseCount(2, 60.0)})
    assert (value(registry, OPEN, LOST), value(registry, OLDEST, LOST)) == (2, 60)
    assert (value(registry, OPEN, HEAVY), value(registry, OLDEST, HEAVY)) == (0, 0)

    metrics.set("parcels", None)

    assert math.isnan(value(registry, OPEN, HEAVY))


def test_kind_that_is_not_declared_is_counted_and_then_zero(
    registry: CollectorRegistry, metrics: CaseMetrics
) -> None:
    wet = CaseKind("parcel-wet", Severity.PAGE, "Unknown.")
    metrics.set("parcels", {wet: CaseCount(1, 5.0)})
    assert value(registry, OPEN, wet) == 1

    metrics.set("parcels", {})

    assert value(registry, OPEN, wet) == 0
