"""The composition root of the edge: settings (and a clock) in, ASGI applications out."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ValidationError

from router.admission import Admission
from router.bound import PerMinute
from router.caller import Network, networks
from router.connection_watch import ConnectionWatch
from router.contract.event import Event
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused
from router.descriptors import room_for
from router.edge import Edge, Limits
from router.errors import ConfigurationError
from router.gate import Gate
from router.http_bounds import HttpBounds
from router.http_protocol import Door
from router.http_server import serving_deliveries
from router.intake import Clock, Endpoint, Intake
from router.kafka_client import client_options
from router.metrics import EdgeMetrics
from router.places import Places
from router.providers import (
    Asymmetric,
    Configurable,
    Key,
    NoOptions,
    Place,
    Provider,
    Published,
    discover,
)
from router.providers._signing import fingerprint
from router.publish import KafkaPublisher, producer_factory
from router.refused_keeper import RefusedKeeper, sample_producer_factory
from router.setting_values import PUBLISHED
from router.settings import EdgeSettings, EndpointSettings, Settings, problem_line
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
from router.topic_room import TopicRoom

HEAD_SLACK_BYTES = 16 * 1024
"""How much larger than its limit a head may be before it is no longer parsed to its end."""

RECORD_OVERHEAD_BYTES = 32 * 1024
"""Room for the normalized fields and the headers of the record."""


@dataclass(frozen=True)
class EdgeProcess:
    """The edge, put together: its public application, its management application, its parts."""

    app: Edge
    management: AsgiFastStream
    publisher: KafkaPublisher
    registry: CollectorRegistry
    door: Door
    loop_delay: LoopDelay


def utc_now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


def build_edge(settings: Settings, clock: Clock = utc_now) -> EdgeProcess:
    """Put the edge together; connects to nothing. Raises ConfigurationError."""
    endpoints = build_endpoints(settings)
    check_room(settings)
    check_tls(settings.edge)
    registry = process_registry()
    topics = settings.topics.topics()
    metrics = EdgeMetrics(registry, endpoints.values(), topics)
    names = [*topics.events, topics.quarantine]
    options = client_options(settings.kafka)
    make = producer_factory(options, settings.kafka.max_request_bytes)
    publisher = KafkaPublisher(make, names, metrics, get_log("publish"))
    topic_room = TopicRoom(options, names, largest_record(settings), get_log("publish"))
    may_keep_stale = PerMinute(settings.edge.stale_per_minute)
    intake = Intake(publisher, topics, clock, new_traceparent, may_keep_stale, metrics)
    room = room_for(settings.edge.max_unproved, settings.edge.max_in_flight)
    shortest = min(each.deadline_seconds for each in endpoints.values())
    places = Places(room.places, shortest)
    loop_delay = LoopDelay(registry, places.adapt)
    watch = ConnectionWatch(registry, get_log("connection"))
    admission = Admission(room.unproved, settings.edge.unproved_bytes, watch.gave_way)
    watch.measure(admission)
    refused = _refused_keeper(settings, options, metrics)
    edge = Edge(
        gates=_gates(settings, endpoints),
        intake=intake,
        limits=_limits(settings),
        proxies=networks(settings.edge.trusted_proxies),
        clock=clock,
        metrics=metrics,
        refused=refused,
        log=get_log("edge"),
        rest=AsgiFastStream(
            declared_broker(settings),
            lifespan=_lifespan(publisher, topic_room, refused),
            logger=None,
        ),
        admission=admission,
        places=places,
        delay=loop_delay.now,
    )

    def ready() -> Health:
        return topic_room.health(publisher.health())

    metrics.ready.set_function(lambda: int(ready().good))
    metrics.in_flight.set_function(lambda: places.taken)
    metrics.in_flight_limit.set_function(lambda: int(places.limit))
    management = management_app(_alive, ready, registry)
    door = Door(admission, _http_bounds(settings.edge), watch, edge.shed, loop_delay.now)
    return EdgeProcess(edge, management, publisher, registry, door, loop_delay)


async def run_edge(settings: Settings, clock: Clock = utc_now, *, supervised: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, then drain: answer what came in, stop the producer."""
    process = build_edge(settings, clock)
    edge = settings.edge
    public = listen(edge.host, edge.port)
    management = listen(edge.management_host, edge.management_port)
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    certificate = _certificate(edge)
    log = get_log("edge")
    async with (
        process.loop_delay.measured(),
        serving(process.management, management, lifespan="off"),
        serving_deliveries(
            process.app,
            public,
            process.door,
            certificate=certificate,
            drain_seconds=edge.drain_seconds,
        ),
    ):
        log.info("edge_started", endpoints=sorted(settings.endpoints), port=edge.port)
        await stopped.wait()
        log.info("edge_stopping")
    log.info("edge_stopped")


def declared_broker(settings: Settings) -> KafkaBroker:
    """Declare what the edge publishes, for FastStream's lifespan and AsyncAPI.

    It opens no connection (`consumer_only`, and no subscriber): the producer
    that keeps the promise is `router.publish`'s own.
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


def build_endpoints(settings: Settings) -> dict[str, Endpoint]:
    """Join each configured endpoint with its provider, or raise ConfigurationError."""
    if not settings.endpoints:
        message = "endpoints: none is configured, so no webhook could be taken in"
        raise ConfigurationError(message)
    providers = discover()
    return {
        name: _endpoint(name, endpoint, settings.edge.public_url, providers)
        for name, endpoint in settings.endpoints.items()
    }


def checked_options(settings: Settings) -> dict[str, BaseModel]:
    """Return what each endpoint's provider reads of its table; checks the whole as a start does."""
    build_endpoints(settings)
    providers = discover()
    return {
        name: _options(name, providers[endpoint.provider], endpoint.options)
        for name, endpoint in settings.endpoints.items()
    }


def largest_record(settings: Settings) -> int:
    """Return how many bytes a record may have: the body as base64, and what goes with it."""
    # A quotation mark in a header or the target takes two bytes in JSON.
    kept = settings.edge.body_limit_bytes * 4 // 3 + settings.edge.header_limit_bytes * 2
    return kept + RECORD_OVERHEAD_BYTES


def check_room(settings: Settings) -> None:
    """Refuse a body limit whose records the producer could not send."""
    needed = largest_record(settings)
    if needed > settings.kafka.max_request_bytes:
        message = (
            f"edge.body_limit_bytes: a body of {settings.edge.body_limit_bytes} bytes makes a"
            f" record of up to {needed}, kafka.max_request_bytes is"
            f" {settings.kafka.max_request_bytes}"
        )
        raise ConfigurationError(message)


def check_tls(edge: EdgeSettings) -> None:
    """Refuse a certificate and key that cannot be used."""
    _certificate(edge)


def _certificate(edge: EdgeSettings) -> ssl.SSLContext | None:
    if edge.tls_certificate is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An empty password, not None: OpenSSL would ask at the terminal for that of a locked key.
        context.load_cert_chain(edge.tls_certificate, edge.tls_key, password="")
    except OSError as error:
        message = f"edge.tls_certificate, tls_key: cannot be used: {type(error).__name__}: {error}"
        raise ConfigurationError(message) from None
    return context


def _endpoint(
    name: str, settings: EndpointSettings, public_url: str | None, providers: Mapping[str, Provider]
) -> Endpoint:
    provider = providers.get(settings.provider)
    if provider is None:
        message = (
            f"endpoints.{name}.provider: there is no provider {settings.provider};"
            f" there are {', '.join(sorted(providers))}"
        )
        raise ConfigurationError(message)
    keys = _keys(settings)
    token = settings.token.get_secret_value() if settings.token else None
    place = Place(name, settings.public_url or public_url, token, keys)
    provider = _configured(provider, _options(name, provider, settings.options), place)
    if not keys and not (isinstance(provider, Asymmetric) and provider.public_keys):
        message = f"endpoints.{name}: no secret: set secrets or secret_files"
        raise ConfigurationError(message)
    tolerance = provider.tolerance
    if settings.tolerance_seconds is not None:
        tolerance = timedelta(seconds=settings.tolerance_seconds)
    return Endpoint(
        name,
        settings.account,
        provider,
        keys,
        tolerance,
        settings.deadline_seconds,
        has_token=token is not None,
        mode=settings.mode,
    )


def _options(name: str, provider: Provider, options: dict[str, Any]) -> BaseModel:
    model = provider.options if isinstance(provider, Configurable) else NoOptions
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise ConfigurationError(problem_line(error, f"endpoints.{name}")) from None


def _configured(provider: Provider, options: BaseModel, place: Place) -> Provider:
    if not isinstance(provider, Configurable):
        return provider
    try:
        return provider.configured(options, place)
    except ConfigurationError as error:
        message = f"endpoints.{place.name}.{error}"
        raise ConfigurationError(message) from None


def _keys(settings: EndpointSettings) -> list[Key]:
    secrets: Iterable[bytes] = (s.get_secret_value().encode() for s in settings.secrets)
    return [Key(secret, fingerprint(secret)) for secret in dict.fromkeys(secrets)]


def _gates(settings: Settings, endpoints: dict[str, Endpoint]) -> dict[str, Gate]:
    gates = {}
    for name, endpoint in endpoints.items():
        own = settings.endpoints[name]
        token = own.token.get_secret_value().encode() if own.token else None
        gates[name] = Gate(endpoint, token, _allowed(name, own, endpoint.provider))
    return gates


def _allowed(
    name: str, settings: EndpointSettings, provider: Provider
) -> tuple[Network, ...] | None:
    if settings.allow_from != (PUBLISHED,):
        return None if settings.allow_from is None else networks(settings.allow_from)
    if not isinstance(provider, Published):
        message = f"endpoints.{name}.allow_from: {provider.name} publishes no addresses"
        raise ConfigurationError(message)
    return networks(provider.addresses)


def _limits(settings: Settings) -> Limits:
    edge = settings.edge
    return Limits(edge.body_limit_bytes, edge.header_limit_bytes)


def _http_bounds(edge: EdgeSettings) -> HttpBounds:
    # Above the limit that the edge answers with 431, whose count of a head is not to the byte.
    return HttpBounds(head_bytes=edge.header_limit_bytes + HEAD_SLACK_BYTES)


def _refused_keeper(
    settings: Settings, options: dict[str, Any], metrics: EdgeMetrics
) -> RefusedKeeper:
    topic, edge = settings.topics.topics().refused, settings.edge
    return RefusedKeeper(
        sample_producer_factory(options, topic, settings.kafka.max_request_bytes),
        topic,
        PerMinute(edge.refused_per_minute),
        edge.refused_body_bytes,
        metrics.refused_sample,
        get_log("refused"),
    )


def _lifespan(publisher: KafkaPublisher, room: TopicRoom, refused: RefusedKeeper) -> Any:  # noqa: ANN401 - FastStream's
    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with publisher.running(), room.looked_at(), refused.running():
            yield

    return lifespan


def _alive() -> Health:
    return Health(good=True, detail="the loop answers")
