"""Kafka out. Returns only after the acknowledgement of all in-sync replicas.

A record that the broker refuses fails its own delivery only: what else was
under way is acknowledged by the same producer, or sent again by the next one.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.broker.producers import hardened, send_alone
from router.broker.refusals import About, about
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.producer_line import Line, ProducerFactory, ProducerLine
from router.edge.publishing.record_room import RecordRoom, size_of
from router.edge.publishing.topic_health import State, TopicHealth
from router.edge.publishing.topic_probe import problems_of
from router.errors import NotDurable, Reason
from router.telemetry.logs import Log
from router.telemetry.management import Health

PROBE_SECONDS = 2.0
"""How long the broker may take to answer a probe."""

TRIAL_SECONDS = 2.0
"""How often a topic that did not keep its last record is tried with that record."""

SILENCE_SECONDS = 30.0
"""How long a producer may get no acknowledgement before it is replaced."""

TRIES = 8
"""How often a record is sent at most, within its deadline."""

Probe = Callable[[AIOKafkaProducer], Awaitable[Sequence[str]]]
"""Asks the broker what prevents writing to the topics; a line for each problem."""


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
        return hardened(producer)

    return make


def probe_of(topics: Sequence[str], min_in_sync: Callable[[str], int | None]) -> Probe:
    """Return a probe of these topics, which writes nothing and makes no topic.

    `min_in_sync` as in `router.edge.publishing.topic_probe`.
    """

    async def probe(producer: AIOKafkaProducer) -> Sequence[str]:
        for topic in topics:
            # So that the first record of a topic need not wait for its metadata.
            producer.client.add_topic(topic)
        return await problems_of(producer, topics, min_in_sync, PROBE_SECONDS)

    return probe


@dataclass
class _Delivery:
    """Records of one delivery that are not acknowledged, by place, and which a producer has."""

    attempt: int
    unanswered: dict[int, OutgoingRecord]
    under_way: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Trial:
    """A record under way to prove a topic with."""

    attempt: int
    record: OutgoingRecord
    began: float
    acknowledged: asyncio.Future[Any]


class KafkaPublisher:
    """Publishes through one sound producer, and says whether an event can be kept."""

    def __init__(
        self,
        make: ProducerFactory,
        probe: Probe,
        room: RecordRoom,
        metrics: EdgeMetrics,
        log: Log,
    ) -> None:
        """Remember what to work with; `running` connects."""
        self._probe = probe
        self._room = room
        self._metrics = metrics
        self._log = log
        self._line = ProducerLine(make, self._new_producer, self._watch, self._replaced, log)
        self._attempts = itertools.count(1)
        self._topics: dict[str, TopicHealth] = {}
        self._trials: dict[str, _Trial] = {}
        self._seen: Sequence[str] = ["not connected yet"]
        self._told = False

    def health(self) -> Health:
        """Say whether an event can be kept now, and the first thing that prevents it."""
        if self._line.state is Line.CONNECTING:
            return Health(good=False, detail=self._line.detail)
        now = time.monotonic()
        doubts = [health.problem(topic, now) for topic, health in self._topics.items()]
        problem = next((each for each in (*self._seen, *doubts) if each is not None), None)
        return Health(good=problem is None, detail=problem or "events can be kept")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a producer while the block runs."""
        async with self._line.running():
            yield

    async def __call__(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish records in order; return when all are acknowledged, or raise NotDurable.

        The caller brings the deadline. A record given up may still be
        written later: the event id makes that harmless.
        """
        for record in records:
            self._require_room(record)
        delivery = _Delivery(next(self._attempts), dict(enumerate(records)))
        try:
            await self._deliver(delivery)
        except asyncio.CancelledError:
            self._metrics.publish_failures.labels("deadline").inc()
            now = time.monotonic()
            for place, record in delivery.unanswered.items():
                sent, known = place in delivery.under_way, self._known(record.topic)
                known = known.given_up(delivery.attempt, record, now, sent=sent)
                self._topics[record.topic] = known
            raise

    def _require_room(self, record: OutgoingRecord) -> None:
        problem = self._room.problem(record)
        if problem is not None:
            self._metrics.publish_failures.labels("too_large").inc()
            self._log.error("record_too_large", topic=record.topic, detail=problem)
            raise NotDurable(Reason.NOT_DURABLE, f"the record is too large: {problem}")

    async def _deliver(self, delivery: _Delivery) -> None:
        """Send what is unanswered until nothing is; raise NotDurable for what is refused."""
        started, alone = time.perf_counter(), False
        for _ in range(TRIES):
            producer = await self._line.serving()
            if producer is None:
                self._metrics.publish_failures.labels("unavailable").inc()
                raise NotDurable(Reason.NOT_DURABLE, "no connection to the broker")
            send = partial(self._send, producer, delivery.attempt, alone=alone)
            failed = await self._tried(send, delivery, started)
            if not delivery.unanswered:
                return
            self._raise_refusal(delivery.unanswered, failed, alone=alone)
            alone = alone or any(about(error) is not About.PRODUCER for error in failed.values())
        self._metrics.publish_failures.labels("rejected").inc()
        message = f"{TRIES} producers in a row failed"
        raise NotDurable(Reason.NOT_DURABLE, message)

    async def _tried(
        self,
        send: Callable[[OutgoingRecord], Awaitable[asyncio.Future[Any]]],
        delivery: _Delivery,
        started: float,
    ) -> Mapping[int, KafkaError]:
        """Send each record, wait for each; take out what is acknowledged, return other answers."""
        pending, failed = {}, {}
        for place, record in delivery.unanswered.items():
            try:
                pending[place] = await send(record)
                delivery.under_way.add(place)
            except KafkaError as error:
                failed[place] = error
                # Those behind it must not overtake it.
                break
        for place, acknowledged in pending.items():
            try:
                # Shielded: a deadline gives up the waiting, not the record.
                await asyncio.shield(acknowledged)
            except KafkaError as error:
                failed[place] = error
                delivery.under_way.discard(place)
            else:
                record = delivery.unanswered.pop(place)
                seconds = time.perf_counter() - started
                self._metrics.published(record.topic, _type(record), seconds)
        return failed

    def _raise_refusal(
        self,
        unanswered: Mapping[int, OutgoingRecord],
        failed: Mapping[int, KafkaError],
        *,
        alone: bool,
    ) -> None:
        """Raise NotDurable if sending one of the records again would not help."""
        for place, error in failed.items():
            kind, record = about(error), unanswered[place]
            if kind is About.TOPIC or (alone and kind is not About.PRODUCER):
                self._metrics.publish_failures.labels("rejected").inc()
                name, size = type(error).__name__, size_of(record)
                self._log.error(
                    "publish_refused", topic=record.topic, error=name, about=kind.value, bytes=size
                )
                raise NotDurable(Reason.NOT_DURABLE, f"topic {record.topic}: {name}")

    async def _send(
        self, producer: AIOKafkaProducer, attempt: int, record: OutgoingRecord, *, alone: bool
    ) -> asyncio.Future[Any]:
        """Hand a record over; return the future of its acknowledgement."""
        failed = partial(self._failed, producer, attempt, record, alone=alone)
        headers = list(record.headers)
        try:
            if alone:
                sent = await send_alone(producer, record.topic, record.key, record.value, headers)
            else:
                sent = await producer.send(
                    record.topic, record.value, key=record.key, headers=headers
                )
        except KafkaError as error:
            failed(error)
            raise
        future: asyncio.Future[Any] = sent

        def answered(future: asyncio.Future[Any]) -> None:
            # Also where nobody waits any more: it says as much about topic and producer.
            if future.cancelled():
                return
            error = future.exception()
            if error is not None:
                failed(error)
            else:
                known = self._known(record.topic)
                self._topics[record.topic] = known.acknowledged(attempt)

        future.add_done_callback(answered)
        return future

    def _failed(
        self,
        producer: AIOKafkaProducer,
        attempt: int,
        record: OutgoingRecord,
        error: BaseException,
        *,
        alone: bool,
    ) -> None:
        """Note what an error says about the topic and the producer."""
        kind, name = about(error), type(error).__name__
        self._log.info("record_not_acknowledged", topic=record.topic, error=name, about=kind.value)
        known = self._known(record.topic)
        if kind in {About.PRODUCER, About.UNCLEAR}:
            self._line.broke(producer, f"the producer failed: {name}")
        if kind is About.TOPIC:
            known = known.refused(attempt, record, f"topic {record.topic}: {name}")
        elif alone and kind is not About.PRODUCER:
            known = known.record_refused(attempt)
            if kind is About.RECORD:
                self._room.was_refused(record)
        self._topics[record.topic] = known

    def _known(self, topic: str) -> TopicHealth:
        return self._topics.get(topic, TopicHealth())

    def _new_producer(self) -> None:
        self._trials.clear()
        self._topics = {topic: health.producer_replaced() for topic, health in self._topics.items()}

    def _replaced(self) -> None:
        self._metrics.producer_rebuilds.inc()
        self._tell()

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Look at broker and topics, and prove those that are in doubt."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                self._seen = await self._probe(producer)
        except (KafkaError, TimeoutError) as error:
            self._seen = [f"the broker does not answer: {type(error).__name__}"]
        if not self._seen:
            await self._prove(producer)
        now = time.monotonic()
        silent = max((health.silent_for(now) for health in self._topics.values()), default=0)
        if silent > SILENCE_SECONDS:
            self._line.broke(producer, f"no acknowledgement for {silent:.0f} s")
        self._tell()

    async def _prove(self, producer: AIOKafkaProducer) -> None:
        """Send the record again that a topic did not keep, if nothing else tries it."""
        now = time.monotonic()
        for topic, health in list(self._topics.items()):
            under_way = self._trials.get(topic)
            if under_way is not None and now - under_way.began < TRIAL_SECONDS:
                continue
            if health.ready or health.state is State.UNANSWERED or health.trial is None:
                continue
            if under_way is not None and not under_way.acknowledged.done():
                self._topics[topic] = health.given_up(
                    under_way.attempt, under_way.record, under_way.began
                )
                continue
            await self._try(producer, topic, health.trial, now)

    async def _try(
        self, producer: AIOKafkaProducer, topic: str, record: OutgoingRecord, now: float
    ) -> None:
        attempt = next(self._attempts)
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS):
                sent = await self._send(producer, attempt, record, alone=True)
            self._trials[topic] = _Trial(attempt, record, now, sent)

    def _tell(self) -> None:
        """Log where the health is another one than was last logged."""
        health = self.health()
        if health.good and not self._told:
            self._log.info("broker_reachable")
        if not health.good and self._told:
            self._log.error("broker_unreachable", detail=health.detail)
        self._told = health.good


def _type(record: OutgoingRecord) -> str:
    return dict(record.headers)["ce_type"].decode()
