"""Publishes to Kafka; returns only after all in-sync replicas have acknowledged.

A record that the broker refuses fails its own delivery only: other records in
flight are acknowledged by the same producer, or sent again by the next one.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.broker.adapter.bootstrap import cause_of
from router.broker.adapter.topic_metadata import add_topics
from router.broker.connection import KafkaConnection
from router.broker.producers import make_durable_producer
from router.broker.rights import KafkaOperation, Right
from router.broker.topics.watch import TopicWatch
from router.configuration.settings import Settings
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.dispatch import Dispatch
from router.edge.publishing.producer_line import (
    ProducerFactory,
    ProducerLine,
    ProducerState,
    ProducerTiming,
)
from router.edge.publishing.record_room import RecordRoom
from router.edge.publishing.submission import Done, Submission
from router.edge.publishing.topic_probe import problems_of
from router.edge.publishing.topic_trials import TopicTrials
from router.errors import NotDurable
from router.telemetry.logs import Log, get_log
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


def probe_of(
    topics: Sequence[str], min_in_sync: Callable[[str], int | None], rights: Collection[Right]
) -> TopicProbe:
    """Return a probe of these topics, which writes nothing and creates no topic.

    `min_in_sync` and `rights` as in `router.edge.publishing.topic_probe`.
    """

    async def probe(producer: AIOKafkaProducer) -> Sequence[str]:
        # The first record of a topic then need not wait for its metadata.
        add_topics(producer, topics)
        return await problems_of(producer, topics, min_in_sync, rights, PROBE_SECONDS)

    return probe


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
        self._metrics = metrics
        self._log = log
        self._attempts = itertools.count(1)
        self._line = ProducerLine(
            make,
            self._new_producer,
            self._watch,
            self._replaced,
            self._ended,
            log,
            self._timing.producer,
        )
        self._trials = TopicTrials(
            partial(next, self._attempts),
            self._trial_failed,
            self._timing.trial_seconds,
            self._timing.probe_seconds,
        )
        self._dispatch = Dispatch(self._line, self._trials, room, metrics, log, TRIES)
        self._problems: Sequence[str] = ["not connected yet"]
        self._logged: Health | None = None

    def health(self) -> Health:
        """Return whether events can be published now, and the first problem if not."""
        if self._line.state is ProducerState.CONNECTING:
            return Health(good=False, detail=self._line.detail)
        doubts = self._trials.problems(time.monotonic())
        problem = next((each for each in (*self._problems, *doubts) if each is not None), None)
        return Health(good=problem is None, detail=problem or "events can be published")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Maintain a producer while the block runs; every submission has a result at its end."""
        try:
            async with self._line.running():
                yield
        finally:
            self._dispatch.close()

    def submit(
        self, records: Sequence[OutgoingRecord], done: Done, deadline: float | None = None
    ) -> Submission:
        """Publish records of a delivery in order; call `done` once, after this has returned.

        `done` receives None once all records are acknowledged, otherwise NotDurable. `deadline` is
        a moment of the event loop's clock at which to give up. A record given up may still be
        written later: the event id makes that harmless. Costs no task and no timer for each record.
        """
        return self._dispatch.submit(records, done, next(self._attempts), deadline)

    def give_up(self, submission: Submission) -> None:
        """Call a submission's `done` no more, as if its deadline had passed."""
        self._dispatch.give_up(submission)

    async def __call__(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish records in order; return when all are acknowledged, or raise NotDurable.

        The caller sets the deadline: see `submit` for what is given up.
        """
        result = asyncio.get_running_loop().create_future()
        submission = self.submit(records, partial(_resolve, result))
        try:
            problem = await result
        except asyncio.CancelledError:
            self.give_up(submission)
            raise
        if problem is not None:
            raise problem

    def _trial_failed(
        self,
        producer: AIOKafkaProducer,
        record: OutgoingRecord,
        attempt: int,
        error: BaseException,
    ) -> None:
        self._dispatch.report(producer, record, attempt, error, alone=True)

    def _new_producer(self) -> None:
        self._trials.producer_replaced()
        self._dispatch.serve()

    def _replaced(self) -> None:
        self._metrics.producer_rebuilds.inc()
        self._dispatch.refuse_unavailable()
        self._log_health()

    def _ended(self, producer: AIOKafkaProducer) -> None:
        self._dispatch.ended(producer)

    async def _watch(self, producer: AIOKafkaProducer) -> None:
        """Probe the broker and its topics, and test the topics that are in doubt."""
        try:
            async with asyncio.timeout(self._timing.probe_seconds):
                self._problems = await self._probe(producer)
        except (KafkaError, TimeoutError) as error:
            self._problems = [f"the broker does not answer: {cause_of(error)}"]
        if not self._problems:
            self._dispatch.update_partitions()
            await self._trials.test(producer)
        silent = self._trials.silent_seconds(time.monotonic())
        if silent > self._timing.silence_seconds:
            self._line.replace(producer, f"no acknowledgement for {silent:.0f} s")
        self._log_health()

    def _log_health(self) -> None:
        """Log the health if it differs from the one logged last."""
        before, health = self._logged, self.health()
        if health.good and not (before and before.good):
            self._log.info("broker_reachable")
        if not health.good and health != before:
            self._log.error("broker_unreachable", detail=health.detail)
        self._logged = health


def _resolve(result: asyncio.Future[NotDurable | None], problem: NotDurable | None) -> None:
    if not result.done():
        result.set_result(problem)


def make_publisher(
    settings: Settings, make: ProducerFactory, watch: TopicWatch, metrics: EdgeMetrics
) -> KafkaPublisher:
    """Make the publisher of a process; it connects when it runs."""
    topics, most = settings.topics.topics(), settings.kafka.max_request_bytes
    names = [*topics.events, topics.quarantine]
    probe = probe_of(
        names,
        lambda topic: watch.number(topic, "min.insync.replicas"),
        [each for each in watch.rights if each.operation is KafkaOperation.WRITE],
    )
    return KafkaPublisher(
        make,
        probe,
        RecordRoom(most, lambda topic: watch.number(topic, "max.message.bytes")),
        metrics,
        get_log("publish"),
    )
