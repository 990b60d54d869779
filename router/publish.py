"""Kafka out. Returns only after the acknowledgement of all in-sync replicas.

aiokafka's idempotent producer never gives up by itself, its stop never
returns while the broker is away, and after a sequence error it does not
recover. So the deadline, the bounded stop and the replacement are ours.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from router.contract.wire import OutgoingRecord
from router.errors import NotDurable, Reason
from router.metrics import EdgeMetrics
from router.telemetry.logs import Log
from router.telemetry.management import Health
from router.telemetry.pacing import paced

PROBE_SECONDS = 1.0
"""How often the way to the broker is looked at."""

STOP_SECONDS = 3.0
"""How long a producer may take to stop before it is left alone."""

_RECORD_REFUSED = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
)
"""The broker's word about a record or a topic: the producer itself is sound."""

CONNECT_SECONDS = 10.0
"""How long a producer may take to start before another is tried."""

SILENCE_SECONDS = 30.0
"""How long a producer may get no acknowledgement before it is replaced."""

ProducerFactory = Callable[[], AIOKafkaProducer]


def producer_factory(
    options: Mapping[str, Any],
    max_request_bytes: int,
    renewed: Callable[[Any], None] = lambda _client: None,
) -> ProducerFactory:
    """Return what makes producers with the settings that keep the promise.

    `options` are read for each producer; `renewed` has its client sign in with
    what is valid at each new connection.
    """

    def make() -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **options,
            acks="all",
            enable_idempotence=True,
            max_request_size=max_request_bytes,
            request_timeout_ms=10_000,
            retry_backoff_ms=100,
            metadata_max_age_ms=60_000,
        )
        renewed(producer.client)
        return paced(producer)

    return make


class KafkaPublisher:
    """Keeps one sound producer and publishes through it."""

    def __init__(
        self, make: ProducerFactory, topics: Sequence[str], metrics: EdgeMetrics, log: Log
    ) -> None:
        """Remember what to work with; `running` connects."""
        self._make = make
        self._topics = topics
        self._metrics = metrics
        self._log = log
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._unanswered_since: float | None = None
        self._health = Health(good=False, detail="not connected yet")

    def health(self) -> Health:
        """Say whether an event can be kept now."""
        return self._health

    async def __call__(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish records in order; return when all are acknowledged, or raise NotDurable.

        The caller brings the deadline. A record given up may still be
        written later: the event id makes that harmless.
        """
        producer = self._producer
        if producer is None:
            self._metrics.publish_failures.labels("unavailable").inc()
            raise NotDurable(Reason.NOT_DURABLE, "no connection to the broker")
        started = time.perf_counter()
        try:
            pending = [await self._send(producer, record) for record in records]
            for record, acknowledged in zip(records, pending, strict=True):
                # Shielded: a deadline gives up the waiting, not the record.
                await asyncio.shield(acknowledged)
                self._acknowledged(record, time.perf_counter() - started)
        except KafkaError as error:
            self._failed(producer, error)
            raise NotDurable(Reason.NOT_DURABLE, type(error).__name__) from None
        except asyncio.CancelledError:
            self._metrics.publish_failures.labels("deadline").inc()
            self._unanswered_since = self._unanswered_since or time.monotonic()
            raise

    @contextlib.asynccontextmanager
    async def running(self) -> Any:  # noqa: ANN401 - an async context manager of nothing
        """Keep a producer while the block runs."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _send(
        self, producer: AIOKafkaProducer, record: OutgoingRecord
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await producer.send(
            record.topic, record.value, key=record.key, headers=list(record.headers)
        )
        future.add_done_callback(self._look_at)
        return future

    def _look_at(self, future: asyncio.Future[Any]) -> None:
        # Nobody waits for a record that was given up: its error must not be reported as
        # forgotten, its acknowledgement is as good a sign of life as any.
        if not future.cancelled() and future.exception() is None:
            self._unanswered_since = None

    def _acknowledged(self, record: OutgoingRecord, seconds: float) -> None:
        self._metrics.published(record.topic, _type(record), seconds)
        self._unanswered_since = None

    def _failed(self, producer: AIOKafkaProducer, error: KafkaError) -> None:
        self._metrics.publish_failures.labels("rejected").inc()
        sound = isinstance(error, _RECORD_REFUSED)
        self._log.error("publish_failed", error=type(error).__name__, producer_sound=sound)
        if not sound and producer is self._producer:
            self._broken.set()

    async def _keep(self) -> None:
        """Connect, watch, replace: until cancelled."""
        pause = 0.1
        while True:
            producer = self._make()
            try:
                await asyncio.wait_for(producer.start(), CONNECT_SECONDS)
                pause = 0.1
                await self._watch(producer)
            except (KafkaError, TimeoutError, OSError) as error:
                self._unwell(f"cannot reach the broker: {type(error).__name__}")
            except Exception as error:  # noqa: BLE001 - without another producer nothing is kept
                self._log.exception("producer_failed")
                self._unwell(f"the producer failed: {type(error).__name__}")
            finally:
                self._producer = None
                await _stop(producer)
            self._metrics.producer_rebuilds.inc()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5)

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        self._broken.clear()
        self._unanswered_since = None
        self._producer = producer
        while not self._broken.is_set():
            problem = await self._probe(producer) or self._silence()
            if problem is None:
                self._well()
            else:
                self._unwell(problem)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._broken.wait(), PROBE_SECONDS)
        self._unwell("the producer failed and is being replaced")

    def _silence(self) -> str | None:
        """Say since when the broker, though there, acknowledges nothing; in the end, give up."""
        if self._unanswered_since is None:
            return None
        seconds = time.monotonic() - self._unanswered_since
        if seconds > SILENCE_SECONDS:
            self._broken.set()
        return f"no acknowledgement for {seconds:.0f} s"

    async def _probe(self, producer: AIOKafkaProducer) -> str | None:
        """Return None where every topic has leaders to write to, else what is missing."""
        try:
            async with asyncio.timeout(PROBE_SECONDS * 2):
                for topic in self._topics:
                    await producer.client.add_topic(topic)
                if not await producer.client.force_metadata_update():
                    return "the broker does not answer"
        except (KafkaError, TimeoutError) as error:
            return f"the broker does not answer: {type(error).__name__}"
        cluster = producer.client.cluster
        missing = [
            name for name in self._topics if not cluster.available_partitions_for_topic(name)
        ]
        if missing:
            return f"no such topic, or no leader for it: {', '.join(missing)}"
        return None

    def _well(self) -> None:
        if not self._health.good:
            self._log.info("broker_reachable")
        self._health = Health(good=True, detail="events can be kept")

    def _unwell(self, detail: str) -> None:
        if self._health.good:
            self._log.error("broker_unreachable", detail=detail)
        self._health = Health(good=False, detail=detail)


def _type(record: OutgoingRecord) -> str:
    return dict(record.headers)["ce_type"].decode()


async def _stop(producer: AIOKafkaProducer) -> None:
    # Whatever comes of it, this producer is not asked for anything any more.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), STOP_SECONDS)
