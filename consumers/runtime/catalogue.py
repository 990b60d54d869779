"""What the processes of the consumers measure, declared without running one."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge

from consumers.runtime.metrics import ConsumerMetrics
from consumers.runtime.service import Service
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import process_registry


def declared(services: Iterable[Service]) -> Mapping[str, CollectorRegistry]:
    """Return the registry of each kind of process, with the measures of all these services."""
    return {"consumer": _consumer(services)}


def _consumer(services: Iterable[Service]) -> CollectorRegistry:
    registry = process_registry()
    LoopDelay(registry)
    ConsumerMetrics(registry, "consumer").start_partition("topic", 0)
    for service in services:
        for measure in service.measures:
            Gauge(measure.name, measure.meaning, registry=registry)
    return registry
