"""Makes all checks of `payrouter doctor`, those of broker and databases at the same time."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from consumers.doctor.broker import BrokerNeeds, broker_away, judge_broker, judge_remembered
from consumers.doctor.configured import Configured, read_configuration, unreadable
from consumers.doctor.endpoints import EdgeFound, judge_endpoints, no_endpoints
from consumers.doctor.query_broker import query_broker
from consumers.doctor.query_stores import StoreUnanswered, query_store, store_needs
from consumers.doctor.results import CheckedArea, CheckResult, has_failed
from consumers.doctor.showing import show_results
from consumers.doctor.stores import judge_store, store_away
from consumers.runtime.configured import Consumer
from router.broker.topics.listing import TopicsUnavailable
from router.commands.invocation import Invocation
from router.configuration.topic_needs import edge_needs, topic_needs
from router.edge.app import certificate_of
from router.edge.http.descriptors import RESERVED, reachable
from router.errors import ConfigurationError
from router.terminal.exits import EXIT_PROBLEM, EXIT_USAGE
from router.terminal.output import quiet_aiokafka
from router.terminal.processes import run_async


def check_and_show(invocation: Invocation, areas: Collection[str], *, as_json: bool) -> int:
    """Check the configuration and these areas, print the results and return the exit code."""
    try:
        configured = read_configuration(invocation)
    except ConfigurationError as error:
        show_results(unreadable(error), as_json=as_json)
        return EXIT_USAGE
    quiet_aiokafka()
    results = [*configured.results, *run_async(_checked(invocation, configured, areas))]
    show_results(results, as_json=as_json)
    return EXIT_PROBLEM if has_failed(results) else 0


async def _checked(
    invocation: Invocation, configured: Configured, areas: Collection[str]
) -> Sequence[CheckResult]:
    consumers = configured.consumers if CheckedArea.STORES in areas else ()
    endpoints = _endpoints(configured) if CheckedArea.ENDPOINTS in areas else ()
    querying = _query_broker(invocation, configured) if CheckedArea.BROKER in areas else _nothing()
    broker, stores = await asyncio.gather(querying, _query_stores(consumers))
    cluster_id = configured.settings.kafka.cluster_id or broker.cluster_id
    remembered = {each.consumer: each.clusters for each in stores}
    return [
        *endpoints,
        *broker.results,
        *(judge_remembered(cluster_id, remembered) if cluster_id else ()),
        *(result for each in stores for result in each.results),
    ]


@dataclass(frozen=True)
class _Broker:
    results: Sequence[CheckResult] = ()
    cluster_id: str | None = None
    """None if the broker did not answer or is not checked."""


@dataclass(frozen=True)
class _Store:
    consumer: str
    results: Sequence[CheckResult]
    clusters: Sequence[str] = ()


async def _nothing() -> _Broker:
    return _Broker()


async def _query_broker(invocation: Invocation, configured: Configured) -> _Broker:
    settings, kafka = configured.settings, configured.kafka
    if kafka is None:
        return _Broker()
    topics = topic_needs(settings, invocation.consumers.topics(settings.topics.topics()))
    needs = BrokerNeeds(
        settings.kafka.cluster_id,
        settings.topics.replication_factor,
        settings.topics.min_insync_replicas,
        {each.service.name: each.settings.group_id for each in configured.consumers},
        [need.name for need in edge_needs(settings)] if configured.gates else [],
    )
    try:
        found = await query_broker(kafka, topics, needs)
    except TopicsUnavailable as error:
        return _Broker([broker_away(str(error))])
    return _Broker(list(judge_broker(found, needs)), found.cluster_id)


async def _query_stores(consumers: Sequence[Consumer]) -> Sequence[_Store]:
    return await asyncio.gather(*map(_query_store, consumers))


async def _query_store(consumer: Consumer) -> _Store:
    needs = store_needs(consumer)
    try:
        found = await query_store(consumer, needs)
    except StoreUnanswered as error:
        return _Store(needs.consumer, [store_away(needs.consumer, str(error))])
    return _Store(needs.consumer, list(judge_store(found, needs)), found.clusters)


def _endpoints(configured: Configured) -> Sequence[CheckResult]:
    """Return the results about endpoints; none if an edge would not start with them anyway."""
    settings, gates = configured.settings, configured.gates
    if not settings.endpoints:
        return [no_endpoints()]
    if not gates:
        return []
    edge = settings.edge
    certificate = certificate_of(edge)
    wanted = edge.max_unproved + edge.max_in_flight + RESERVED
    found = EdgeFound(certificate.expires if certificate else None, reachable(wanted))
    return list(judge_endpoints(settings, gates, found, datetime.now(UTC)))
