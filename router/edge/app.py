"""The composition root of the edge: settings (and a clock) in, ASGI applications out."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry

from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.rights import edge_rights
from router.broker.topics.creation import forbid_topic_creation
from router.broker.topics.watch import REQUEST_MILLISECONDS, TopicMetrics, TopicWatch
from router.configuration.addresses import networks
from router.configuration.problems import Problems
from router.configuration.settings import EdgeSettings, Settings
from router.configuration.topic_needs import check_room, edge_needs
from router.contract.event import Event
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused
from router.edge.bound import PerMinute
from router.edge.endpoints import build_endpoints, gates_of
from router.edge.gate import Gate, longest_deadline, shortest_deadline
from router.edge.handling.handler import DeliveryHandler
from router.edge.handling.heads import Limits
from router.edge.http.admission import Admission
from router.edge.http.bounds import HttpBounds
from router.edge.http.descriptors import room_for
from router.edge.http.door import Door
from router.edge.http.server import serving_deliveries
from router.edge.http.tls import ServerCertificate
from router.edge.http.watch import ConnectionWatch
from router.edge.intake import Clock, Intake
from router.edge.metrics import EdgeMetrics
from router.edge.places import Places
from router.edge.publishing.endangered import SafePublish, safe_submit
from router.edge.publishing.publish import KafkaPublisher, make_publisher, producer_factory
from router.edge.refused.keeper import RefusedKeeper, sample_producer_factory
from router.edge.reload import (
    CertificateMetrics,
    ConfigurationSource,
    LiveEdge,
    Reloading,
    ReloadMetrics,
)
from router.edge.routes import Edge
from router.telemetry.logs import get_log, new_traceparent
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import (
    Health,
    listen,
    management_app,
    process_registry,
    serving,
    stop_signal,
    stop_with_parent,
)

if TYPE_CHECKING:
    from router.edge.spool.service import SpoolService

HEAD_SLACK_BYTES = 16 * 1024
"""How far a head may exceed its limit and still be parsed to its end."""


@dataclass(frozen=True)
class EdgeProcess:
    """An assembled edge: its public application, its management application and its parts."""

    app: Edge
    management: AsgiFastStream
    publisher: KafkaPublisher
    registry: CollectorRegistry
    door: Door
    loop_delay: LoopDelay
    live: LiveEdge
    reloading: Reloading
    topics: TopicWatch
    ready: Callable[[], Health]
    spool: "SpoolService | None" = None

    def opened(self) -> contextlib.AbstractContextManager[None]:
        """Open the spool, if there is one; raises ConfigurationError if it cannot be used."""
        return contextlib.nullcontext() if self.spool is None else self.spool.opened()


def utc_now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


def build_edge(settings: Settings, clock: Clock = utc_now, slot: int = 1) -> EdgeProcess:
    """Assemble the edge without connecting to anything. Raises ConfigurationError.

    `slot` is the number of this process among the workers, from 1.
    """
    forbid_topic_creation()
    gates = checked_gates(settings)
    registry = process_registry()
    topics = settings.topics.topics()
    metrics = EdgeMetrics(registry, [gate.endpoint for gate in gates.values()], topics)
    kafka = KafkaConnection.of(settings.kafka)
    make = producer_factory(kafka, settings.kafka.max_request_bytes)
    topic_watch = _topic_watch(settings, kafka, registry)
    publisher = make_publisher(settings, make, topic_watch, metrics)
    safe = safe_submit(publisher, topic_watch, metrics)
    spool = _spool(settings, slot, kafka, publisher, safe, registry)
    watch = ConnectionWatch(registry, get_log("connection"))
    admission, places = _budgets(settings.edge, watch, gates)
    loop_delay = LoopDelay(registry, places.adapt)
    refused = _refused_keeper(settings, kafka, metrics)
    handler = DeliveryHandler(
        _intake(settings, clock, metrics),
        safe if spool is None else spool.submit,
        *(places, admission, clock, metrics, refused),
        get_log("edge"),
        loop_delay.now,
    )
    edge = Edge(
        gates=gates,
        handler=handler,
        limits=_limits(settings),
        proxies=networks(settings.edge.trusted_proxies),
        metrics=metrics,
        log=get_log("edge"),
        rest=AsgiFastStream(
            declared_broker(settings),
            lifespan=_lifespan(publisher, topic_watch, refused, spool),
            logger=None,
        ),
        admission=admission,
        places=places,
        delay=loop_delay.now,
    )

    def ready() -> Health:
        health = topic_watch.health(publisher.health())
        return health if spool is None else spool.health(health)

    _measure(metrics, places, ready)
    management = management_app(_alive, ready, registry)
    bounds = _http_bounds(settings.edge)
    door = Door(admission, bounds, watch, edge.shed, places.let_in, loop_delay.now, edge.hold)
    live = LiveEdge(
        edge, metrics, certificate_of(settings.edge), CertificateMetrics(registry), checked_gates
    )
    reloading = Reloading(settings, live, ReloadMetrics(registry), get_log("edge"))
    return EdgeProcess(
        *(edge, management, publisher, registry, door, loop_delay),
        *(live, reloading, topic_watch, ready, spool),
    )


def _intake(settings: Settings, clock: Clock, metrics: EdgeMetrics) -> Intake:
    may_keep_stale = PerMinute(settings.edge.stale_per_minute)
    return Intake(settings.topics.topics(), clock, new_traceparent, may_keep_stale, metrics)


def _spool(
    settings: Settings,
    slot: int,
    kafka: KafkaConnection,
    publisher: KafkaPublisher,
    submit: SafePublish,
    registry: CollectorRegistry,
) -> "SpoolService | None":
    """Make the spool, None if none is configured."""
    if settings.spool.path is None:
        return None
    # Imported here: most edges need none of it.
    from router.edge.spool.making import make_spool  # noqa: PLC0415 - as above

    return make_spool(settings, slot, kafka, publisher, submit, registry)


def _measure(metrics: EdgeMetrics, places: Places, ready: Callable[[], Health]) -> None:
    metrics.ready.set_function(lambda: int(ready().good))
    metrics.in_flight.set_function(lambda: places.taken)
    metrics.in_flight_limit.set_function(lambda: int(places.limit))


def _budgets(
    edge: EdgeSettings, watch: ConnectionWatch, gates: Mapping[str, Gate]
) -> tuple[Admission, Places]:
    """Make the budgets before and after verification, as large as descriptors allow."""
    room = room_for(edge.max_unproved, edge.max_in_flight)
    admission = Admission(room.unproved, edge.unproved_bytes, watch.gave_way)
    watch.measure(admission)
    return admission, Places(room.places, shortest_deadline(gates))


async def run_edge(
    settings: Settings,
    clock: Clock = utc_now,
    *,
    supervised: bool = False,
    source: ConfigurationSource | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: answer open requests, stop the producer.

    The configuration is reloaded from `source`, if given: see `router.edge.reload`.
    """
    process = build_edge(settings, clock)
    edge = settings.edge
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    following = process.reloading.following(source) if source else contextlib.nullcontext()
    log = get_log("edge")
    with process.opened():
        await _serve_until(process, edge, following, stopped)
    log.info("edge_stopped")


async def _serve_until(
    process: EdgeProcess,
    edge: EdgeSettings,
    following: contextlib.AbstractAsyncContextManager[None],
    stopped: asyncio.Event,
) -> None:
    log = get_log("edge")
    async with (
        _bound(edge.host, edge.port) as public,
        _bound(edge.management_host, edge.management_port) as management,
        serving(process.management, management, lifespan="off"),
        taking_deliveries(process, public, edge.drain_seconds),
        following,
    ):
        log.info("edge_started", endpoints=sorted(process.app.gates), port=edge.port)
        await stopped.wait()
        log.info("edge_stopping")


@contextlib.asynccontextmanager
async def _bound(host: str, port: int) -> AsyncIterator[socket.socket]:
    with listen(host, port) as listener:
        yield listener


@contextlib.asynccontextmanager
async def taking_deliveries(
    process: EdgeProcess,
    listener: socket.socket,
    drain_seconds: float,
    may_accept: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[None]:
    """Take deliveries from a bound socket until the block ends; then answer open ones.

    The producer is started before `may_accept` is called; connections are accepted afterwards.
    """
    certificate = process.live.certificate
    async with (
        process.loop_delay.measured(),
        serving_deliveries(
            process.app,
            listener,
            process.door,
            certificate=None if certificate is None else certificate.context,
            # An open delivery is answered, not cut off, even if its deadline is longer.
            drain_seconds=max(drain_seconds, longest_deadline(process.app.gates)),
            may_accept=may_accept,
        ),
    ):
        yield


def declared_broker(settings: Settings) -> KafkaBroker:
    """Declare what the edge publishes, for FastStream's lifespan and AsyncAPI.

    It opens no connection (`consumer_only`, and no subscriber): events are
    published by the producer of `router.edge.publishing.publish`.
    """
    broker = KafkaBroker(
        settings.kafka.bootstrap_servers.split(","), consumer_only=True, logger=None
    )
    topics = settings.topics.topics()
    for topic in topics.events:
        broker.publisher(topic, schema=Event, title=f"edge:{topic}")
    broker.publisher(topics.quarantine, schema=Quarantined, title="edge:quarantine")
    broker.publisher(topics.refused, schema=Refused, title="edge:refused")
    return broker


def checked_gates(settings: Settings) -> dict[str, Gate]:
    """Return the endpoints that the edge serves, after every check that a start makes.

    Raises ConfigurationError with all problems found.
    """
    problems, gates = Problems(), dict[str, Gate]()
    with problems.gathered():
        gates = gates_of(settings, build_endpoints(settings))
    with problems.gathered():
        check_room(settings)
    with problems.gathered():
        certificate_of(settings.edge)
    problems.refuse()
    return gates


def certificate_of(edge: EdgeSettings) -> ServerCertificate | None:
    """Load the certificate and key, None if none is configured. Raises ConfigurationError."""
    if edge.tls_certificate is None or edge.tls_key is None:
        return None
    return ServerCertificate(edge.tls_certificate, edge.tls_key)


def _limits(settings: Settings) -> Limits:
    edge = settings.edge
    return Limits(edge.body_limit_bytes, edge.header_limit_bytes)


def _http_bounds(edge: EdgeSettings) -> HttpBounds:
    # Higher than the limit for 431: the edge does not count a head to the byte.
    return HttpBounds(head_bytes=edge.header_limit_bytes + HEAD_SLACK_BYTES)


def _refused_keeper(
    settings: Settings, kafka: KafkaConnection, metrics: EdgeMetrics
) -> RefusedKeeper:
    edge, topics = settings.edge, settings.topics.topics()
    topic = topics.refused
    return RefusedKeeper(
        sample_producer_factory(kafka, topic, settings.kafka.max_request_bytes),
        topic,
        PerMinute(edge.refused_per_minute),
        edge.refused_body_bytes,
        metrics.refused_sample,
        get_log("refused"),
        rights=[
            each for each in edge_rights(kafka.principal, topics) if each.resource.name == topic
        ],
    )


def _topic_watch(
    settings: Settings, kafka: KafkaConnection, registry: CollectorRegistry
) -> TopicWatch:
    needs = edge_needs(settings)
    return TopicWatch(
        make=partial(make_admin, kafka, request_timeout_ms=REQUEST_MILLISECONDS),
        needs=needs,
        metrics=TopicMetrics(registry, [need.name for need in needs]),
        log=get_log("topics"),
        interval_seconds=settings.topics.check_seconds,
        require_check=settings.topics.require_check,
        rights=edge_rights(kafka.principal, settings.topics.topics()),
    )


def _lifespan(
    publisher: KafkaPublisher,
    topics: TopicWatch,
    refused: RefusedKeeper,
    spool: "SpoolService | None",
) -> Callable[[], contextlib.AbstractAsyncContextManager[None]]:
    """Return the lifespan of everything that makes deliveries durable."""

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if spool is not None:
                # What the publisher refuses at its end is still stored.
                await stack.enter_async_context(spool.running())
            for part in (publisher.running(), topics.running(), refused.running()):
                await stack.enter_async_context(part)
            if spool is not None:
                await stack.enter_async_context(spool.publishing())
            yield

    return lifespan


def _alive() -> Health:
    return Health(good=True, detail="the event loop responds")
