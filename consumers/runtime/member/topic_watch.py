"""Checks a consumer's topics as the edge does: sources, dead letters and outcomes."""

from functools import partial

from prometheus_client import CollectorRegistry

from consumers.runtime.topic_check import TopicCheck
from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.topics.watch import REQUEST_MILLISECONDS, TopicMetrics, TopicWatch
from router.telemetry.logs import get_log


def topic_watch(
    check: TopicCheck, kafka: KafkaConnection, registry: CollectorRegistry
) -> TopicWatch:
    """Return the topic watch of one consumer."""
    return TopicWatch(
        make=partial(make_admin, kafka, request_timeout_ms=REQUEST_MILLISECONDS),
        needs=check.needs,
        metrics=TopicMetrics(registry, [need.name for need in check.needs]),
        log=get_log("topics"),
        interval_seconds=check.every_seconds,
        require_check=check.required,
        rights=check.rights,
    )
