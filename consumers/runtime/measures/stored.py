"""What is read from a consumer's store for Prometheus.

Every process of the consumer says it, and so does the exporter, which goes on
where none of them does. All say the same: a query takes the largest.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.fate import Fate
from consumers.runtime.measures.waiting import Waiting
from consumers.runtime.service import Measure, Reading, Service


class WaitingMetrics:
    """The gauges of what waits in the store, of one consumer or of several."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare them."""
        self._registry = registry
        self.held = self._gauge(
            "payrouter_held_records",
            "Records held back. parked: tried again by itself; dead: until a person acts",
            ["state"],
        )
        self.held_oldest = self._gauge(
            "payrouter_held_oldest_seconds",
            "For how long the oldest of them is held; 0 where there is none",
            ["state"],
        )
        self.held_conflicts = self._gauge(
            "payrouter_held_conflicts",
            "Dead records that contradict an event that is known: `payrouter dlq list`",
        )
        self.brake_held = self._gauge(
            "payrouter_brake_held",
            "1 where nothing of the topic is applied until `payrouter brake clear`",
            ["topic"],
        )
        self._topics: dict[str, frozenset[str]] = {}
        self.outbox_waiting = self._gauge(
            "payrouter_outbox_waiting", "Records in the outbox that are not on the broker yet"
        )
        self.outbox_refused = self._gauge(
            "payrouter_outbox_refused",
            "Records that the broker refused for good, `payrouter outbox show` names them",
        )

    def begin(self, consumer: str, topics: Iterable[str]) -> None:
        """Name the topics of a consumer, as the broker does; all is unknown yet."""
        self._topics[consumer] = frozenset(topics)
        self.set(consumer, None)

    def set(self, consumer: str, waiting: Waiting | None) -> None:
        """Set what was read; None where it could not be: unknown is not zero."""
        unknown = math.nan
        for state in (Fate.PARKED, Fate.DEAD):
            held = waiting.held.get(state, 0) if waiting else unknown
            oldest = waiting.oldest.get(state, 0) if waiting else unknown
            self.held.labels(consumer, state).set(held)
            self.held_oldest.labels(consumer, state).set(oldest)
        self.held_conflicts.labels(consumer).set(waiting.conflicts if waiting else unknown)
        for topic in self._topics.get(consumer, ()):
            # A topic that never failed has no brake yet, so none that holds.
            self.brake_held.labels(consumer, topic).set(0 if waiting else unknown)
        self.set_brakes(consumer, waiting.brakes if waiting else {})
        self.outbox_waiting.labels(consumer).set(waiting.outbox if waiting else unknown)
        self.outbox_refused.labels(consumer).set(waiting.refused if waiting else unknown)

    def set_brakes(self, consumer: str, brakes: Mapping[str, Brake]) -> None:
        """Set the brakes of some topics."""
        for topic, brake in brakes.items():
            self.brake_held.labels(consumer, topic).set(brake.held_since is not None)

    def _gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, meaning, ["consumer", *labels], registry=self._registry)


@dataclass(frozen=True)
class MeasureGauges:
    """The gauges of a service's own measures."""

    measures: Sequence[Measure]
    gauges: Mapping[str, Gauge] = field(repr=False)

    def set(self, readings: Mapping[str, Reading] | None) -> None:
        """Set what was read, by the name of the measure; None where it could not be."""
        for each in self.measures:
            reading = math.nan if readings is None else readings[each.name]
            _set(each, self.gauges[each.name], reading)


def measure_gauges(registry: CollectorRegistry, service: Service) -> MeasureGauges:
    """Declare the gauges of a service, all unknown."""
    declared = {
        each.name: Gauge(
            each.name, each.meaning, [each.label] if each.label else [], registry=registry
        )
        for each in service.measures
    }
    gauges = MeasureGauges(service.measures, declared)
    gauges.set(None)
    return gauges


async def read_measures(
    connection: AsyncConnection, measures: Iterable[Measure]
) -> Mapping[str, Reading]:
    """Read measures, one after the other."""
    return {each.name: await each.read(connection) for each in measures}


def _set(measure: Measure, gauge: Gauge, reading: Reading | float) -> None:
    if measure.label is None:
        if isinstance(reading, Mapping):
            message = f"the measure {measure.name} has no label and read several values"
            raise TypeError(message)
        gauge.set(reading)
        return
    if isinstance(reading, Mapping):
        undeclared = reading.keys() - set(measure.values)
        if undeclared:
            message = f"the measure {measure.name} read {measure.label}={min(undeclared)}"
            raise ValueError(message)
    for value in measure.values:
        # What was counted and not found is zero.
        found = reading.get(value, 0) if isinstance(reading, Mapping) else reading
        gauge.labels(value).set(found)
