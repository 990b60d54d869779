"""The composition root of the edge: settings (and a clock) in, ASGI applications out."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ValidationError

from router.bound import PerMinute
from router.caller import Network, networks
from router.contract.event import Event
from router.contract.quarantine import Quarantined
from router.edge import Edge, Gate, Limits
from router.errors import ConfigurationError
from router.http_protocol import DeliveryProtocol
from router.intake import Clock, Endpoint, Intake
from router.kafka_client import client_options
from router.kafka_credentials import ClientOptions, KafkaCredentials
from router.metrics import EdgeMetrics
from router.problems import Problems, nearest, problem_lines
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
from router.reload import Reloading, ReloadMetrics, Source
from router.setting_values import PUBLISHED
from router.settings import EdgeSettings, EndpointSettings, Settings
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
from router.tls import ServerCertificate
from router.topic_room import TopicRoom

RECORD_OVERHEAD_BYTES = 32 * 1024
"""Room for the normalized fields and the headers of the record."""


@dataclass(frozen=True)
class EdgeProcess:
    """The edge, put together: its public application, its management application, its parts."""

    app: Edge
    management: AsgiFastStream
    publisher: KafkaPublisher
    registry: CollectorRegistry
    reloading: Reloading


def utc_now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


def build_edge(settings: Settings, clock: Clock = utc_now) -> EdgeProcess:
    """Put the edge together; connects to nothing. Raises ConfigurationError."""
    gates = checked_gates(settings)
    registry = process_registry()
    topics = settings.topics.topics()
    metrics = EdgeMetrics(registry, [gate.endpoint for gate in gates.values()], topics)
    metrics.in_flight_limit.set(settings.edge.max_in_flight)
    names = [*topics.events, topics.quarantine]
    credentials = KafkaCredentials(settings.kafka)
    options = ClientOptions(lambda: client_options(settings.kafka, credentials))
    make = producer_factory(options, settings.kafka.max_request_bytes, credentials.renewed)
    publisher = KafkaPublisher(make, names, metrics, get_log("publish"))
    room = TopicRoom(options, names, largest_record(settings), get_log("publish"))
    may_keep_stale = PerMinute(settings.edge.stale_per_minute)
    intake = Intake(publisher, topics, clock, new_traceparent, may_keep_stale, metrics)
    edge = Edge(
        gates=gates,
        intake=intake,
        limits=_limits(settings),
        proxies=networks(settings.edge.trusted_proxies),
        clock=clock,
        metrics=metrics,
        log=get_log("edge"),
        rest=AsgiFastStream(
            declared_broker(settings), lifespan=_lifespan(publisher, room), logger=None
        ),
    )

    def ready() -> Health:
        return room.health(publisher.health())

    metrics.ready.set_function(lambda: int(ready().good))
    metrics.in_flight.set_function(lambda: edge.in_flight)
    management = management_app(_alive, ready, registry)
    reloading = Reloading(
        settings,
        edge,
        metrics,
        ReloadMetrics(registry),
        certificate_of(settings.edge),
        checked_gates,
        get_log("edge"),
    )
    return EdgeProcess(edge, management, publisher, registry, reloading)


async def run_edge(
    settings: Settings,
    clock: Clock = utc_now,
    *,
    supervised: bool = False,
    source: Source | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: answer what came in, stop the producer.

    Where there is a `source`, it is followed: see `router.reload`.
    """
    process = build_edge(settings, clock)
    edge = settings.edge
    public = listen(edge.host, edge.port)
    management = listen(edge.management_host, edge.management_port)
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    tls: dict[str, Any] = {}
    certificate = process.reloading.certificate
    if certificate is not None:
        tls = {"ssl_context_factory": lambda _config, _default: certificate.context}
    following = process.reloading.following(source) if source else contextlib.nullcontext()
    log = get_log("edge")
    async with (
        LoopDelay(process.registry).measured(),
        serving(process.management, management, lifespan="off"),
        serving(
            process.app,
            public,
            lifespan="on",
            http=DeliveryProtocol,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=int(edge.drain_seconds) + 1,
            **tls,
        ),
        following,
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
    return broker


def build_endpoints(settings: Settings) -> dict[str, Endpoint]:
    """Join each configured endpoint with its provider, or raise ConfigurationError."""
    if not settings.endpoints:
        message = "endpoints: none is configured, so no webhook could be taken in"
        raise ConfigurationError(message)
    built, problems = joined(settings.endpoints, settings.edge.public_url)
    if problems:
        raise ConfigurationError(*problems)
    return built


def joined(
    endpoints: Mapping[str, EndpointSettings], public_url: str | None
) -> tuple[dict[str, Endpoint], list[str]]:
    """Join each endpoint with its provider; return those that fit, and what is wrong elsewhere."""
    providers, built, problems = discover(), {}, Problems()
    for name, endpoint in endpoints.items():
        with problems.gathered():
            built[name] = _endpoint(name, endpoint, public_url, providers)
    return built, problems.lines


def checked_gates(settings: Settings) -> dict[str, Gate]:
    """Return what the edge opens to gateways; check the whole as a start does.

    Raises ConfigurationError with everything that is wrong.
    """
    problems, gates = Problems(), dict[str, Gate]()
    with problems.gathered():
        gates = _gates(settings, build_endpoints(settings))
    with problems.gathered():
        check_room(settings)
    with problems.gathered():
        certificate_of(settings.edge)
    problems.refuse()
    return gates


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


def certificate_of(edge: EdgeSettings) -> ServerCertificate | None:
    """Load the certificate and key, None where there are none; refuse what cannot be used."""
    if edge.tls_certificate is None or edge.tls_key is None:
        return None
    return ServerCertificate(edge.tls_certificate, edge.tls_key)


def _endpoint(
    name: str, settings: EndpointSettings, public_url: str | None, providers: Mapping[str, Provider]
) -> Endpoint:
    provider = providers.get(settings.provider)
    if provider is None:
        message = (
            f"endpoints.{name}.provider: there is no provider {settings.provider};"
            f" there are {', '.join(sorted(providers))}{nearest(settings.provider, providers)}"
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
    )


def _options(name: str, provider: Provider, options: dict[str, Any]) -> BaseModel:
    model = provider.options if isinstance(provider, Configurable) else NoOptions
    try:
        return model.model_validate(options)
    except ValidationError as error:
        beside = EndpointSettings.model_fields.keys() - {"options"}
        lines = problem_lines(error, f"endpoints.{name}", model, beside)
        raise ConfigurationError(*lines) from None


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
    gates, problems = {}, Problems()
    for name, endpoint in endpoints.items():
        own = settings.endpoints[name]
        token = own.token.get_secret_value().encode() if own.token else None
        with problems.gathered():
            gates[name] = Gate(endpoint, token, _allowed(name, own, endpoint.provider))
    problems.refuse()
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
    return Limits(edge.body_limit_bytes, edge.header_limit_bytes, edge.max_in_flight)


def _lifespan(publisher: KafkaPublisher, room: TopicRoom) -> Any:  # noqa: ANN401 - FastStream's
    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with publisher.running(), room.looked_at():
            yield

    return lifespan


def _alive() -> Health:
    return Health(good=True, detail="the loop answers")
