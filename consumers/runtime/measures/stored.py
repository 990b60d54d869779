"""Metrics that are read from a consumer's store.

Every process of the consumer exports them, and so does the exporter, which continues if no process
of the consumer runs. All export the same values, so queries use the maximum.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.fate import Fate
from consumers.runtime.measures.waiting import StoreBacklog
from consumers.runtime.service import Measure, MeasureReading, Service
from router.telemetry.declaring import MetricDeclarations


class WaitingMetrics:
    """Gauges of the backlog in the stores of one or more consumers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the gauges."""
        declare = MetricDeclarations(registry, ["consumer"])
        self.held = declare.gauge(
            "payrouter_held_records",
            "Records held back. parked: retried automatically; dead: held until an operator acts",
            "state",
        )
        self.held_oldest = declare.gauge(
            "payrouter_held_oldest_seconds",
            "Age of the oldest held record; 0 if there is none",
            "state",
        )
        self.held_conflicts = declare.gauge(
            "payrouter_held_conflicts",
            "Dead records that contradict a known event: see `payrouter dlq list`",
        )
        self.brake_held = declare.gauge(
            "payrouter_brake_held",
            "1 if no record of the topic is applied until `payrouter brake clear`",
            "topic",
        )
        self._topics: dict[str, frozenset[str]] = {}
        self.outbox_waiting = declare.gauge(
            "payrouter_outbox_waiting", "Records in the outbox that are not published yet"
        )
        self.outbox_refused = declare.gauge(
            "payrouter_outbox_refused",
            "Records that the broker refused permanently: see `payrouter outbox show`",
        )

    def begin(self, consumer: str, topics: Iterable[str]) -> None:
        """Register a consumer's topics, by their names on the broker; all values are NaN."""
        self._topics[consumer] = frozenset(topics)
        self.set(consumer, None)

    def set(self, consumer: str, waiting: StoreBacklog | None) -> None:
        """Set the gauges; None sets NaN, since an unknown value is not zero."""
        unknown = math.nan
        for state in (Fate.PARKED, Fate.DEAD):
            held = waiting.held.get(state, 0) if waiting else unknown
            oldest = waiting.oldest.get(state, 0) if waiting else unknown
            self.held.labels(consumer, state).set(held)
            self.held_oldest.labels(consumer, state).set(oldest)
        self.held_conflicts.labels(consumer).set(waiting.conflicts if waiting else unknown)
        for topic in self._topics.get(consumer, ()):
            # A topic that never failed has no brake row yet, so it is not held.
            self.brake_held.labels(consumer, topic).set(0 if waiting else unknown)
        self.set_brakes(consumer, waiting.brakes if waiting else {})
        self.outbox_waiting.labels(consumer).set(waiting.outbox if waiting else unknown)
        self.outbox_refused.labels(consumer).set(waiting.refused if waiting else unknown)

    def set_brakes(self, consumer: str, brakes: Mapping[str, Brake]) -> None:
        """Set the brake gauges of these topics."""
        for topic, brake in brakes.items():
            self.brake_held.labels(consumer, topic).set(brake.held_since is not None)


@dataclass(frozen=True)
class MeasureGauges:
    """Gauges of a service's own measures."""

    measures: Sequence[Measure]
    gauges: Mapping[str, Gauge] = field(repr=False)

    def set(self, readings: Mapping[str, MeasureReading] | None) -> None:
        """Set the readings, by name of the measure; None sets NaN."""
        for each in self.measures:
            reading = math.nan if readings is None else readings[each.name]
            _set(each, self.gauges[each.name], reading)


def measure_gauges(registry: CollectorRegistry, service: Service) -> MeasureGauges:
    """Declare the gauges of a service; all values are NaN."""
    declare = MetricDeclarations(registry)
    declared = {
        each.name: declare.gauge(each.name, each.meaning, *([each.label] if each.label else []))
        for each in service.measures
    }
    gauges = MeasureGauges(service.measures, declared)
    gauges.set(None)
    return gauges


async def read_measures(
    connection: AsyncConnection, measures: Iterable[Measure]
) -> Mapping[str, MeasureReading]:
    """Read measures, in order."""
    return {each.name: await each.read(connection) for each in measures}


def _set(measure: Measure, gauge: Gauge, reading: MeasureReading | float) -> None:
    if measure.label is None:
        if isinstance(reading, Mapping):
            message = f"the measure {measure.name} has no label but returned several values"
            raise TypeError(message)
        gauge.set(reading)
        return
    if isinstance(reading, Mapping):
        undeclared = reading.keys() - set(measure.values)
        if undeclared:
            message = (
                f"the measure {measure.name} returned {measure.label}={min(undeclared)},"
                " which it does not declare"
            )
            raise ValueError(message)
    for value in measure.values:
        # A value without a reading was counted as zero.
        found = reading.get(value, 0) if isinstance(reading, Mapping) else reading
        gauge.labels(value).set(found)
