"""A service's own measures: all series exist before the first reading."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.measures.stored import MeasureGauges, measure_gauges
from consumers.runtime.service import Measure, MeasureReading
from tests.parts.runtime.counting import SERVICE


async def _read(_connection: AsyncConnection) -> int:
    return 0


PLAIN = Measure("payrouter_things", "Things", _read)
LABELLED = Measure("payrouter_things_by_size", "Things", _read, "size", ("small", "large"))


def declared() -> tuple[CollectorRegistry, MeasureGauges]:
    registry = CollectorRegistry()
    return registry, measure_gauges(registry, replace(SERVICE, measures=[PLAIN, LABELLED]))


def values(registry: CollectorRegistry) -> list[float]:
    return [sample.value for family in registry.collect() for sample in family.samples]


def test_all_series_are_unknown_before_the_first_reading() -> None:
    registry, _ = declared()
    sizes = {s.labels.get("size") for f in registry.collect() for s in f.samples}
    assert sizes == {None, "small", "large"}
    assert all(map(math.isnan, values(registry)))


def test_missing_value_is_zero_and_unread_value_is_unknown() -> None:
    registry, gauges = declared()
    gauges.set({PLAIN.name: 3, LABELLED.name: {"large": 2}})
    assert values(registry) == [3, 0, 2]
    gauges.set(None)
    assert all(map(math.isnan, values(registry)))


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ({PLAIN.name: 1, LABELLED.name: {"huge": 1}}, "returned size=huge"),
        ({PLAIN.name: {"small": 1}, LABELLED.name: {}}, "has no label"),
    ],
)
def test_undeclared_value_is_refused(readings: Mapping[str, MeasureReading], said: str) -> None:
    _, gauges = declared()
    with pytest.raises((TypeError, ValueError), match=said):
        gauges.set(readings)
