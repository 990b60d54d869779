"""Declares the metrics of the consumers' processes without running one."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from consumers.console.serving.metrics import ConsoleMetrics
from consumers.discovery import discover
from consumers.runtime.casebook.stored_case import kinds_of
from consumers.runtime.cases.kind import CaseKind
from consumers.runtime.exporter.app import BROKER
from consumers.runtime.exporter.metrics import ExporterMetrics, PictureCollector
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.measures.stored import measure_gauges
from consumers.runtime.progress.picture import LogView, Picture
from consumers.runtime.records import Partition
from consumers.runtime.service import Service
from router.broker.log.bounds import LogBounds
from router.broker.topics.watch import TopicMetrics
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import process_registry

_CONSUMER, _TOPIC, _CLUSTER = "consumer", "topic", "cluster"
"""Placeholders for the names of an installation."""


def declared() -> Mapping[str, CollectorRegistry]:
    """Return the registry of each kind of process, with the measures of every consumer."""
    services = list(discover().values())
    return {
        "consumer": _consumer(services),
        "exporter": _exporter(services),
        "console": _console(),
    }


def _consumer(services: Sequence[Service]) -> CollectorRegistry:
    registry = _process(services)
    metrics = ConsumerMetrics(registry, _CONSUMER)
    metrics.cases.begin(_CONSUMER, _kinds(services))
    metrics.start_partition(_TOPIC, 0)
    metrics.transaction_limit.labels(_CONSUMER)
    TopicMetrics(registry, [_TOPIC])
    return registry


def _exporter(services: Sequence[Service]) -> CollectorRegistry:
    registry = _process(services)
    metrics = ExporterMetrics(registry, [BROKER])
    metrics.waiting.set(_CONSUMER, None)
    metrics.cases.begin(_CONSUMER, _kinds(services))
    metrics.transaction_limit.labels(_CONSUMER)
    picture = Picture({_CONSUMER: [_TOPIC]})
    picture.set_log(LogView(_CLUSTER, {Partition(_TOPIC, 0): LogBounds(0, 0, 0)}, {}, {}))
    registry.register(PictureCollector(picture))
    return registry


def _console() -> CollectorRegistry:
    registry = _process(())
    ConsoleMetrics.declared(registry)
    return registry


def _process(services: Sequence[Service]) -> CollectorRegistry:
    registry = process_registry()
    LoopDelay(registry)
    for service in services:
        measure_gauges(registry, service)
    return registry


def _kinds(services: Sequence[Service]) -> Iterable[CaseKind]:
    return {kind.name: kind for each in services for kind in kinds_of(each).values()}.values()
