"""Publishes to Kafka; returns only after all in-sync replicas have acknowledged.

A record that the broker refuses fails its own delivery only: other records in
flight are acknowledged by the same producer, or sent again by the next one.
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

from router.broker.adapter.topic_metadata import add_topics
from router.broker.connection import KafkaConnection
from router.broker.producers import make_durable_producer, send_alone
from router.broker.refusals import About, about
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.producer_line import (
    ProducerFactory,
    ProducerLine,
    ProducerState,
    ProducerTiming,
)
from router.edge.publishing.record_room import RecordRoom, size_of
from router.edge.publishing.topic_health import TopicHealth, TopicHealthState
from router.edge.publishing.topic_probe import problems_of
from router.errors import NotDurable, Reason
from router.telemetry.logs import Log
from router.telemetry.management import Health

PROBE_SECONDS = 2.0
"""How long the broker may take to answer a probe."""

TRIES = 8
"""Most attempts to send a record, within its deadline."""

TopicProbe = Callable[[AIOKafkaProducer], Awaitable[Sequence[str]]]
"""Returns the problems that prevent writing to the topics, a line each."""


@dataclass(frozen=True)
class PublishTiming:
    """Time-outs and intervals of a publisher and of its producers."""

    probe_seconds: float = PROBE_SECONDS
    trial_seconds: float = 2.0
    """Interval between attempts to send the last record again to a topic that refused it."""
    silence_seconds: float = 30.0
    """How long a producer may be without an acknowledgement before it is replaced."""
    producer: ProducerTiming = field(default_factory=ProducerTiming)


def producer_factory(kafka: KafkaConnection, max_request_bytes: int) -> ProducerFactory:
    """Return a factory of producers with the settings that durability needs."""
    return partial(
        make_durable_producer,
        kafka,
        max_request_size=max_request_bytes,
        retry_backoff_ms=100,
        metadata_max_age_ms=60_000,
    )


def probe_of(topics: Sequence[str], min_in_sync: Callable[[str], int | None]) -> TopicProbe:
    """Return a probe of these topics, which writes nothing and creates no topic.

    `min_in_sync` as in `router.edge.publishing.topic_probe`.
    """

    async def probe(producer: AIOKafkaProducer) -> Sequence[str]:
        # The first record of a topic then need not wait for its metadata.
        add_topics(producer, topics)
        return await problems_of(producer, topics, min_in_sync, PROBE_SECONDS)

    return probe


@dataclass
class _Delivery:
    """Unacknowledged records of one delivery by position, and those that a producer holds."""

    attempt: int
    unanswered: dict[int, OutgoingRecord]
    under_way: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Trial:
    """A record sent again to find out whether its topic accepts records."""

    attempt: int
    record: OutgoingRecord
    began: float
    acknowledged: asyncio.Future[Any]


class KafkaPublisher:
    """Publishes through one working producer, and reports whether events can be published."""

    def __init__(
        self,
        make: ProducerFactory,
        probe: TopicProbe,
        room: RecordRoom,
        metrics: EdgeMetrics,
        log: Log,
        timing: PublishTiming | None = None,
    ) -> None:
        """Store the parts; `running` connects."""
        self._timing = timing or PublishTiming()
        self._probe = probe
        self._room = room
        self._metrics = metrics
        self._log = log
        self._line = ProducerLine(
            make, self._new_producer, self._watch, self._replaced, log, self._timing.producer
        )
        self._attempts = itertools.count(1)
        self._topics: dict[str, TopicHealth] = {}
        self._trials: dict[str, _Trial] = {}
        self._problems: Sequence[str] = ["not connected yet"]
        self._logged_good = False

    def health(self) -> Health:
        """Return whether events can be published now, and the first problem if not."""
        if self._line.state is ProducerState.CONNECTING:
            return Health(good=False, detail=self._line.detail)
        now = time.monotonic()
        doubts = [health.problem(topic, now) for topic, health in self._topics.items()]
        problem = next((each for each in (*self._problems, *doubts) if each is not None), None)
        return Health(good=problem is None, detail=problem or "events can be published")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Maintain a producer while the block runs."""
        async with self._line.running():
            yield

    async def __call__(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish records in order; return when all are acknowledged, or raise NotDurable.

        The caller sets the deadline. A record given up may still be written
        later: the event id makes that harmless.
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
                sent, health = place in delivery.under_way, self._health_of(record.topic)
                health = health.given_up(delivery.attempt, record, now, sent=sent)
                self._topics[record.topic] = health
            raise

    def _require_room(self, record: OutgoingRecord) -> None:
        problem = self._room.problem(record)
        if problem is not None:
            self._metrics.publish_failures.labels("too_large").inc()
            self._log.error("record_too_large", topic=record.topic, detail=problem)
            raise NotDurable(Reason.NOT_DURABLE, f"the record is too large: {problem}")

    async def _deliver(self, delivery: _Delivery) -> None:
        """Send until every record is acknowledged; raise NotDurable if one is refused."""
        started, alone = time.perf_counter(), False
        for _ in range(TRIES):
            producer = await self._line.serving()
            if producer is None:
                self._metrics.publish_failures.labels("unavailable").inc()
                raise NotDurable(Reason.NOT_DURABLE, "no connection to the broker")
            send = partial(self._send, producer, delivery.attempt, alone=alone)
            failed = await self._send_unanswered(send, delivery, started)
            if not delivery.unanswered:
                return
            self._raise_refusal(delivery.unanswered, failed, alone=alone)
            alone = alone or any(about(error) is not About.PRODUCER for error in failed.values())
        self._metrics.publish_failures.labels("rejected").inc()
        message = f"{TRIES} producers in a row failed"
        raise NotDurable(Reason.NOT_DURABLE, message)

    async def _send_unanswered(
        self,
        send: Callable[[OutgoingRecord], Awaitable[asyncio.Future[Any]]],
        delivery: _Delivery,
        started: float,
    ) -> Mapping[int, KafkaError]:
        """Send each record and wait; remove the acknowledged ones, return the errors of others."""
        pending, failed = {}, {}
        for place, record in delivery.unanswered.items():
            try:
                pending[place] = await send(record)
                delivery.under_way.add(place)
            except KafkaError as error:
                failed[place] = error
                # Later records must not overtake it.
                break
        for place, acknowledged in pending.items():
            try:
                # Shielded: a deadline cancels the wait, not the record.
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
        """Pass a record to the producer; return the future of its acknowledgement."""
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
            # Even if no caller is waiting, the result shows the state of topic and producer.
            if future.cancelled():
                return
            error = future.exception()
            if error is not None:
                failed(error)
            else:
                health = self._health_of(record.topic)
                self._topics[record.topic] = health.acknowledged(attempt)

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
        """Update the health of the topic, and replace the producer if the error requires it."""
        kind, name = about(error), type(error).__name__
        self._log.info("record_not_acknowledged", topic=record.topic, error=name, about=kind.value)
        health = self._health_of(record.topic)
        if kind in {About.PRODUCER, About.UNCLEAR}:
            self._line.replace(producer, f"the producer failed: {name}")
        if kind is About.TOPIC:
            health = health.refused(attempt, record, f"topic {record.topic}: {name}")
        elif alone and kind is not About.PRODUCER:
            health = health.record_refused(attempt)
            if kind is About.RECORD:
                self._room.was_refused(record)
        self._topics[record.topic] = health

    def _health_of(self, topic: str) -> TopicHealth:
        return self._topics.get(topic, TopicHealth())

    def _new_producer(self) -> None:
        self._trials.clear()
        self._topics = {topic: health.producer_replaced() for topic, health in self._topics.items()}

    def _replaced(self) -> None:
        self._metrics.producer_rebuilds.inc()
        self._log_health()

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Probe the broker and its topics, and test the topics that are in doubt."""
        try:
            async with asyncio.timeout(self._timing.probe_seconds):
                self._problems = await self._probe(producer)
        except (KafkaError, TimeoutError) as error:
            self._problems = [f"the broker does not answer: {type(error).__name__}"]
        if not self._problems:
            await self._test_topics(producer)
        now = time.monotonic()
        silent = max((health.silent_for(now) for health in self._topics.values()), default=0)
        if silent > self._timing.silence_seconds:
            self._line.replace(producer, f"no acknowledgement for {silent:.0f} s")
        self._log_health()

    async def _test_topics(self, producer: AIOKafkaProducer) -> None:
        """Send again the record that a topic did not accept, unless it is still being sent."""
        now = time.monotonic()
        for topic, health in list(self._topics.items()):
            under_way = self._trials.get(topic)
            if under_way is not None and now - under_way.began < self._timing.trial_seconds:
                continue
            unanswered = health.state is TopicHealthState.UNANSWERED
            if health.ready or unanswered or health.trial is None:
                continue
            if under_way is not None and not under_way.acknowledged.done():
                self._topics[topic] = health.given_up(
                    under_way.attempt, under_way.record, under_way.began
                )
                continue
            await self._start_trial(producer, topic, health.trial, now)

    async def _start_trial(
        self, producer: AIOKafkaProducer, topic: str, record: OutgoingRecord, now: float
    ) -> None:
        attempt = next(self._attempts)
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(self._timing.probe_seconds):
                sent = await self._send(producer, attempt, record, alone=True)
            self._trials[topic] = _Trial(attempt, record, now, sent)

    def _log_health(self) -> None:
        """Log the health if it differs from the one logged last."""
        health = self.health()
        if health.good and not self._logged_good:
            self._log.info("broker_reachable")
        if not health.good and self._logged_good:
            self._log.error("broker_unreachable", detail=health.detail)
        self._logged_good = health.good


def _type(record: OutgoingRecord) -> str:
    return dict(record.headers)["ce_type"].decode()
