"""Checks a consumer's topics as the edge does: sources, dead letters and outcomes."""

from collections.abc import Callable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka.security import parse_security
from prometheus_client import CollectorRegistry

from consumers.runtime.topic_check import TopicCheck
from router.broker.adapter.private import connections_of
from router.broker.topics.watch import REQUEST_MILLISECONDS, TopicMetrics, TopicWatch
from router.telemetry.logs import get_log


def topic_watch(
    check: TopicCheck,
    kafka: Mapping[str, Any],
    renewed: Callable[[Any], None],
    registry: CollectorRegistry,
) -> TopicWatch:
    """Return the topic watch of one consumer; `kafka` are FastStream's options."""

    def make() -> AIOKafkaAdminClient:
        options = {"request_timeout_ms": REQUEST_MILLISECONDS, **kafka}
        security = parse_security(options.pop("security", None))
        admin = AIOKafkaAdminClient(**options, **security)
        renewed(connections_of(admin))
        return admin

    return TopicWatch(
        make=make,
        needs=check.needs,
        metrics=TopicMetrics(registry, [need.name for need in check.needs]),
        log=get_log("topics"),
        interval_seconds=check.every_seconds,
        require_check=check.required,
    )
