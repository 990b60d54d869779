"""Writes samples of refused deliveries to the topic `refused` without delaying any answer.

The edge puts a sample into a bounded queue and continues. A background task
with a separate producer sends the samples; if the broker or the topic is
missing or slow, samples wait in the queue, and the oldest are dropped when it
is full.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.background import in_background
from router.broker.adapter.bootstrap import cause_of
from router.broker.adapter.topic_metadata import knows_topic, request_only, update_metadata
from router.broker.client import make_producer
from router.broker.connection import KafkaConnection
from router.broker.pacing import paced
from router.broker.producers import stop_within
from router.broker.refusals import About, about
from router.broker.rights import Right
from router.broker.topics.ids import require_shown
from router.contract.wire import OutgoingRecord, encode_refused
from router.edge.refused.sample import Attempt, SampleResult, is_sampled, sample_of
from router.errors import RefusedDelivery
from router.telemetry.logs import Log, new_traceparent

QUEUED = 64
"""Most samples waiting for the broker, a few megabytes at the default limits."""

REQUEST_SECONDS = 5.0
"""How long the broker may take to answer a request, or to acknowledge a sample."""

IDLE_SECONDS = 60.0
"""Time after which a connection without samples is closed."""

STOP_SECONDS = 1.0
"""How long the producer may take to stop before it is cut off."""


class TopicUnavailable(Exception):  # noqa: N818 - named after the event
    """The broker does not have the topic, or does not show it to the edge's user."""


@dataclass
class RefusedKeeper:
    """Stores samples of refused deliveries: `keep` queues one, `running` sends them.

    `may_keep` limits them per endpoint and minute; `count` counts the result of
    each. `rights` are those that sending needs. No error here reaches the caller.
    """

    make: Callable[[], AIOKafkaProducer]
    topic: str
    may_keep: Callable[[str], bool]
    body_limit: int
    count: Callable[[SampleResult], None]
    log: Log
    retry_seconds: float = 10.0
    rights: Collection[Right] = ()
    queue: deque[OutgoingRecord] = field(default_factory=deque, repr=False)
    _filled: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _problem: str | None = None

    def wants(self, endpoint: str, problem: RefusedDelivery) -> bool:
        """Return whether this refusal must be sampled; uses up one of the endpoint's minute."""
        if not is_sampled(problem):
            return False
        allowed = self.may_keep(endpoint)
        if not allowed:
            self.count("limited")
        return allowed

    def keep(self, problem: RefusedDelivery, attempt: Attempt) -> None:
        """Queue a sample without waiting or raising."""
        try:
            sample = sample_of(problem, attempt, self.body_limit)
            record = encode_refused(sample, self.topic, new_traceparent())
        except Exception:
            # The answer to the delivery must not depend on its sample.
            self.log.exception("refused_sample_failed", endpoint=attempt.delivery.endpoint)
            self.count("failed")
            return
        if len(self.queue) >= QUEUED:
            self.queue.popleft()
            self.count("dropped")
        self.queue.append(record)
        self._filled.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send samples while the block runs; those still queued at its end are lost."""
        async with in_background(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            try:
                await self._send_until_idle()
            except (KafkaError, TimeoutError, OSError) as error:
                self._unavailable(cause_of(error, self.rights))
            except TopicUnavailable as problem:
                self._unavailable(str(problem))
            except Exception as error:
                self.log.exception("refused_sending_failed")
                self._unavailable(type(error).__name__)
            else:
                continue
            await asyncio.sleep(self.retry_seconds)

    async def _send_until_idle(self) -> None:
        """Connect, and send until no sample has come for IDLE_SECONDS."""
        producer = self.make()
        try:
            async with asyncio.timeout(REQUEST_SECONDS * 2):
                await producer.start()
            while await self._sample_came():
                await self._require_topic(producer)
                await self._send(producer)
        finally:
            # Errors do not matter: this producer is not used again.
            with contextlib.suppress(Exception):
                await stop_within(producer, STOP_SECONDS)

    async def _sample_came(self) -> bool:
        """Wait for a sample; return False if none came in time."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True

    async def _require_topic(self, producer: AIOKafkaProducer) -> None:
        if knows_topic(producer, self.topic):
            return
        async with asyncio.timeout(REQUEST_SECONDS):
            answered = await update_metadata(producer)
        if not knows_topic(producer, self.topic):
            if answered:
                await require_shown(producer, self.topic, REQUEST_SECONDS)
            why = "run `payrouter topics apply`" if answered else "the broker does not answer"
            message = f"the broker shows no topic {self.topic}: {why}"
            raise TopicUnavailable(message)

    async def _send(self, producer: AIOKafkaProducer) -> None:
        record = self.queue.popleft()
        if not self.queue:
            self._filled.clear()
        try:
            async with asyncio.timeout(REQUEST_SECONDS * 2):
                await producer.send_and_wait(
                    record.topic, record.value, key=record.key, headers=list(record.headers)
                )
        except (KafkaError, TimeoutError) as error:
            self.count("failed")
            if about(error) is About.RECORD:
                # The topic accepts other samples: they must not wait for this one.
                return
            raise
        self.count("kept")
        if self._problem is not None:
            self.log.info("refused_topic_available")
        self._problem = None

    def _unavailable(self, problem: str) -> None:
        if problem != self._problem:
            self.log.warning("refused_topic_unavailable", detail=problem)
        self._problem = problem


def sample_producer_factory(
    kafka: KafkaConnection, topic: str, max_request_bytes: int
) -> Callable[[], AIOKafkaProducer]:
    """Return a factory of producers for samples, which give up soon and create no topic."""

    def make() -> AIOKafkaProducer:
        producer = make_producer(
            kafka,
            acks=1,
            max_request_size=max_request_bytes,
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
        )
        request_only(producer, topic)
        return paced(producer)

    return make
