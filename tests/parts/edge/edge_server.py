"""A real edge on real sockets in the test's own loop, before the test's broker."""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

from router.configuration.settings import Settings, settings_from
from router.contract.topics import Topics
from router.edge.app import EdgeProcess, build_edge
from router.edge.http.answers import Response
from router.edge.http.bounds import HttpBounds
from router.edge.http.direct import HandleWhole, HoldRequest
from router.edge.http.request_head import RequestHead
from router.edge.http.server import serving_deliveries
from router.telemetry.management import listen, serving
from tests.parts.brokers import create_topics
from tests.parts.edge.raw_http import Answer, exchange, request
from tests.parts.providers.blockatm_deliveries import KEY, RECEIVED
from tests.parts.waiting import eventually

SECRET = KEY.secret.decode()
TOKEN = "aVeryLong-URL_token-0123456789"

ONE_BROKER = {"replication_factor": 1, "min_insync_replicas": 1}
"""`[topics]` of what a single broker can hold."""

FOR_EVER = {"retention.ms": "-1"}
"""What the edge needs of quarantine, and other topics may have."""


@dataclass
class HeldClock:
    """A clock that the test sets."""

    now: datetime = RECEIVED

    def __call__(self) -> datetime:
        """Return the time that was set."""
        return self.now


@dataclass(frozen=True)
class Record:
    """A record as stored on the broker."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class DirectWay:
    """Counts the requests that are handled without the application."""

    taken: int = 0

    def counting(self, hold: HoldRequest) -> HoldRequest:
        """Return the same function, which counts."""

        def held(head: RequestHead) -> HandleWhole | None:
            handle = hold(head)
            return handle and partial(self._take, handle)

        return held

    def _take(self, handle: HandleWhole, body: bytes, answered: Callable[[Response], None]) -> None:
        self.taken += 1
        handle(body, answered)


@dataclass(frozen=True)
class RunningEdge:
    """A running edge."""

    port: int
    management_port: int
    process: EdgeProcess
    settings: Settings
    clock: HeldClock
    log: list[Any]
    """Every line logged through structlog since the start."""
    direct: DirectWay

    @property
    def topics(self) -> Topics:
        """The names of its topics."""
        return self.settings.topics.topics()

    async def post(
        self, headers: Sequence[tuple[str, str]], body: bytes, target: str = "/webhooks/shop"
    ) -> Answer:
        """Post a delivery on a new connection."""
        return await exchange(self.port, request(target, headers, body))

    async def probe(self, path: str) -> Answer:
        """Query the management port."""
        return await exchange(self.management_port, request(path, method="GET", body=None))

    async def until_ready(self, *, ready: bool = True) -> None:
        """Wait until `/readyz` reports ready."""
        wanted = 200 if ready else 503

        async def answered() -> bool:
            return (await self.probe("/readyz")).status == wanted

        await eventually(answered, f"status {wanted} of /readyz")

    async def records(self) -> list[Record]:
        """Read all events and all records on quarantine."""
        return await read_records(
            self.settings.kafka.bootstrap_servers, [*self.topics.events, self.topics.quarantine]
        )

    def delivery_lines(self) -> list[Any]:
        """Return the log lines of deliveries."""
        return [line for line in self.log if line["event"] == "delivery"]

    async def counted(self) -> dict[tuple[str, str], float]:
        """Return the deliveries that `/metrics` counts, by endpoint and outcome."""
        samples = await self._samples("payrouter_deliveries_total")
        return {(s.labels["endpoint"], s.labels["outcome"]): s.value for s in samples}

    async def reasons(self) -> dict[tuple[str, str, str], float]:
        """Return the deliveries not accepted, by provider, outcome and reason."""
        samples = await self._samples("payrouter_delivery_reasons_total")
        return {
            (s.labels["provider"], s.labels["outcome"], s.labels["reason"]): s.value
            for s in samples
        }

    async def _samples(self, name: str) -> list[Sample]:
        text = (await self.probe("/metrics")).body.decode()
        families = text_string_to_metric_families(text)
        return [s for family in families for s in family.samples if s.name == name and s.value]


def configuration(
    bootstrap: str, prefix: str, *, secrets: Sequence[str] = (SECRET,), **edge: object
) -> dict[str, Any]:
    """Write a configuration: endpoints of one account, `guarded` with a URL token."""
    own = {"provider": "blockatm", "account": "shop-eu", "secrets": list(secrets)}
    return {
        "endpoints": {
            "shop": {**own, "deadline_seconds": 20},
            "shop-two": {**own, "deadline_seconds": 20},
            "guarded": {**own, "token": TOKEN, "deadline_seconds": 20},
            "quick_one": {**own, "deadline_seconds": 1},
            "narrow": {**own, "tolerance_seconds": 300, "deadline_seconds": 20},
        },
        "edge": {"port": 0, "management_port": 0, **edge},
        "kafka": {"bootstrap_servers": bootstrap},
        "topics": {"prefix": prefix, **ONE_BROKER},
    }


@contextlib.asynccontextmanager
async def running_edge(
    values: dict[str, Any],
    *,
    change: Callable[[EdgeProcess], None] = lambda _process: None,
    bounds: HttpBounds | None = None,
    waited: float = 0.0,
    certificate: ssl.SSLContext | None = None,
    send_buffer: int | None = None,
) -> AsyncIterator[RunningEdge]:
    """Serve an edge of this configuration while the block runs, even if its broker fails."""
    settings = settings_from(values)
    clock = HeldClock()
    structlog.reset_defaults()
    with capture_logs() as log:
        process = build_edge(settings, clock)
        if bounds is not None:
            process = replace(process, door=replace(process.door, bounds=bounds))
        if waited:
            process = replace(process, door=replace(process.door, delay=lambda: waited))
        change(process)
        direct = DirectWay()
        door = replace(process.door, hold=direct.counting(process.door.hold))
        public, management = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
        if send_buffer is not None:
            public.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        ports = public.getsockname()[1], management.getsockname()[1]
        async with (
            serving(process.management, management, lifespan="off") as own,
            serving_deliveries(
                process.app, public, door, drain_seconds=5, certificate=certificate
            ) as server,
        ):
            yield RunningEdge(*ports, process, settings, clock, log, direct)
            # Both at once, which is quicker than one after the other.
            own.should_exit = server.should_exit = True


@contextlib.asynccontextmanager
async def ready_edge(
    bootstrap: str,
    prefix: str,
    *,
    secrets: Sequence[str] = (SECRET,),
    change: Callable[[EdgeProcess], None] = lambda _process: None,
    bounds: HttpBounds | None = None,
    waited: float = 0.0,
    **edge: object,
) -> AsyncIterator[RunningEdge]:
    """Make the topics and serve an edge that is ready."""
    values = configuration(bootstrap, prefix, secrets=secrets, **edge)
    await make_topics(bootstrap, prefix)
    async with running_edge(values, change=change, bounds=bounds, waited=waited) as running:
        await running.until_ready()
        yield running


async def malformed(edge: RunningEdge) -> dict[str, float]:
    """Return the malformed requests that `/metrics` counts, by reason."""
    return await _counted_by(edge, "payrouter_malformed_requests_total", "reason")


async def gave_way(edge: RunningEdge) -> dict[str, float]:
    """Return the connections that gave way, according to `/metrics`, by stage."""
    return await _counted_by(edge, "payrouter_connections_gave_way_total", "stage")


async def _counted_by(edge: RunningEdge, name: str, label: str) -> dict[str, float]:
    text = (await edge.probe("/metrics")).body.decode()
    return {
        s.labels[label]: s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.name == name and s.value
    }


async def make_topics(bootstrap: str, prefix: str) -> None:
    """Make the edge's topics with this prefix."""
    topics = Topics(prefix)
    await create_topics(
        bootstrap, [*topics.events, topics.quarantine, topics.refused], configs=FOR_EVER
    )


async def read_records(bootstrap: str, topics: Sequence[str]) -> list[Record]:
    """Read these topics from the first record to the last."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        found = []
        for topic in topics:
            await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - no other way to ask
            numbers = consumer.partitions_for_topic(topic) or set()
            found += [TopicPartition(topic, number) for number in sorted(numbers)]
        ends = await consumer.end_offsets(found)
        consumer.assign(found)
        await consumer.seek_to_beginning(*found)
        records: list[Record] = []
        while any([await consumer.position(part) < ends[part] for part in found]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += [Record(r.topic, r.key, r.value, tuple(r.headers)) for r in batch]
        return records
    finally:
        await consumer.stop()
