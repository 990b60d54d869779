"""Makes all checks of `payrouter doctor`, those of broker and databases at the same time."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from consumers.doctor.broker import BrokerNeeds, broker_away, judge_broker, judge_remembered
from consumers.doctor.certificates import judge_kafka_certificates
from consumers.doctor.configured import Configured, read_configuration, unreadable
from consumers.doctor.endpoints import EdgeFound, judge_endpoints, no_endpoints
from consumers.doctor.gateways import judge_skews, query_skews
from consumers.doctor.query_broker import query_broker
from consumers.doctor.query_stores import StoreUnanswered, query_store, store_needs
from consumers.doctor.results import CheckedArea, CheckResult, has_failed
from consumers.doctor.showing import show_results
from consumers.doctor.spool import judge_spool
from consumers.doctor.stores import judge_store, store_away
from consumers.rights.needed import EDGE, process_rights
from consumers.runtime.configured import Consumer
from router.broker.rights import KafkaOperation, Right, principal_of
from router.broker.settings import KafkaSettings
from router.broker.topics.listing import TopicsUnavailable
from router.commands.invocation import Invocation
from router.configuration.topic_needs import needs_of, topic_needs
from router.edge.app import certificate_of
from router.edge.http.descriptors import RESERVED, reachable
from router.errors import ConfigurationError
from router.terminal.exits import EXIT_PROBLEM, EXIT_USAGE
from router.terminal.output import quiet_aiokafka
from router.terminal.processes import run_async


def check_and_show(
    invocation: Invocation, areas: Collection[str], processes: Collection[str], *, as_json: bool
) -> int:
    """Check the configuration and these areas, print the results and return the exit code.

    With `processes`, only what these need.
    """
    try:
        configured = read_configuration(invocation, processes)
    except ConfigurationError as error:
        show_results(unreadable(error), as_json=as_json)
        return EXIT_USAGE
    quiet_aiokafka()
    asked = Asked(areas, _rights(configured, processes), bool(processes))
    results = [*configured.results, *run_async(_checked(invocation, configured, asked))]
    show_results(results, as_json=as_json)
    return EXIT_PROBLEM if has_failed(results) else 0


@dataclass(frozen=True)
class Asked:
    """What is checked: the areas, and by process the rights on the broker.

    `chosen` if these processes were named, so that nothing else is checked.
    """

    areas: Collection[str]
    rights: Mapping[str, Sequence[Right]]
    chosen: bool


def _rights(configured: Configured, processes: Collection[str]) -> Mapping[str, Sequence[Right]]:
    """Return the rights of these processes; by default, of the edge and the consumers."""
    user = principal_of(configured.settings.kafka.sasl_username)
    needed = process_rights(configured.settings, lambda _process: user)
    for process in processes:
        if process not in needed:
            message = f"there is no process {process}; there are {', '.join(needed)}"
            raise click.UsageError(message)
    usual = [*([EDGE] if configured.gates else []), *(c.service.name for c in configured.consumers)]
    return {process: needed[process] for process in processes or usual}


async def _checked(
    invocation: Invocation, configured: Configured, asked: Asked
) -> Sequence[CheckResult]:
    areas, edge = asked.areas, not asked.chosen or EDGE in asked.rights
    consumers = configured.consumers if CheckedArea.STORES in areas else ()
    endpoints = _endpoints(configured) if CheckedArea.ENDPOINTS in areas and edge else ()
    broker_asked = CheckedArea.BROKER in areas
    querying = _query_broker(invocation, configured, asked) if broker_asked else _nothing()
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


async def _query_broker(invocation: Invocation, configured: Configured, asked: Asked) -> _Broker:
    settings, kafka = configured.settings, configured.kafka
    if kafka is None:
        return _Broker()
    topics = topic_needs(settings, invocation.consumers.topics(settings.topics.topics()))
    if asked.chosen:
        # A user with least rights sees no other topics.
        topics = needs_of(topics, _names(asked.rights, KafkaOperation.DESCRIBE_CONFIGS))
    certificates = list(judge_kafka_certificates(settings.kafka, datetime.now(UTC)))
    needs = BrokerNeeds(
        settings.kafka.cluster_id,
        settings.topics.replication_factor,
        settings.topics.min_insync_replicas,
        {each.service.name: each.settings.group_id for each in configured.consumers},
        asked.rights,
        _connection(settings.kafka),
    )
    try:
        found = await query_broker(kafka, topics, needs)
    except TopicsUnavailable as error:
        return _Broker([*certificates, broker_away(str(error))])
    return _Broker([*certificates, *judge_broker(found, needs)], found.cluster_id)


def _connection(kafka: KafkaSettings) -> str:
    """Describe how a client that got an answer is connected."""
    how = f"{kafka.security_protocol}"
    if kafka.sasl_mechanism and kafka.security_protocol.startswith("SASL"):
        who = f" as {kafka.sasl_username}" if kafka.sasl_username else ""
        return f"{how}, signed in{who} by {kafka.sasl_mechanism}"
    return how


def _names(rights: Mapping[str, Sequence[Right]], operation: KafkaOperation) -> Collection[str]:
    """Return the names of the resources on which any process needs an operation."""
    every = (right for own in rights.values() for right in own)
    return {right.resource.name for right in every if right.operation is operation}


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
    return [
        *judge_endpoints(settings, gates, found, datetime.now(UTC)),
        *judge_skews(edge, query_skews(edge)),
        *judge_spool(settings.spool),
    ]
