"""Producers whose batches take many records, and answer when the test decides."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed
from prometheus_client import CollectorRegistry

from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.dispatch import Dispatch
from router.edge.publishing.record_room import RecordRoom
from router.edge.publishing.submission import Submission
from router.edge.publishing.topic_trials import TopicTrials
from router.errors import NotDurable
from router.telemetry.logs import get_log

PARTITIONS = 3
CAPACITY = 4
BAD = b"bad"
"""Values that begin like this are refused, with all records of their batch."""

LARGE = b"large"
"""Values that begin like this find room only in an empty batch."""

UNENCODABLE = b"unencodable"
"""Values that begin like this raise an error."""

TRIES = 8

BrokerLog = dict[tuple[str, int], list[bytes]]
"""The values that the broker has written, by topic and partition, in order."""


@dataclass(eq=False)
class Batch:
    """A batch with room for a few records."""

    values: list[bytes] = field(default_factory=list)
    closed: bool = False

    def append(self, *, value: bytes, **_options: object) -> object | None:
        """Accept a record, unless there is no room."""
        if value.startswith(UNENCODABLE):
            raise TypeError
        no_room = self.values and value.startswith(LARGE)
        if self.closed or no_room or len(self.values) == CAPACITY:
            return None
        self.values.append(value)
        return object()

    def close(self) -> None:
        """Accept no more records."""
        self.closed = True


@dataclass(eq=False)
class Sent:
    """A batch that the producer holds."""

    batch: Batch
    topic: str
    partition: int
    answer: asyncio.Future[object]


@dataclass(eq=False)
class HeldProducer:
    """Holds batches until the test answers them."""

    log: BrokerLog
    held: list[Sent] = field(default_factory=list)
    send_raises: Exception | None = None
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set if the producer has the metadata of its topics."""

    def __post_init__(self) -> None:
        """Start with all metadata."""
        self.known.set()

    def create_batch(self) -> Batch:
        """Return an empty batch."""
        return Batch()

    async def partitions_for(self, _topic: str) -> set[int]:
        """Return the partitions, once they are known."""
        if not self.known.is_set():
            await self.known.wait()
        return set(range(PARTITIONS))

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Any:  # noqa: ANN401 - a future
        """Accept a batch; refuse a second one of its partition."""
        if self.send_raises is not None:
            raise self.send_raises
        assert (topic, partition) not in {(each.topic, each.partition) for each in self.held}
        answer = asyncio.get_running_loop().create_future()
        self.held.append(Sent(batch, topic, partition, answer))
        return answer

    def take(self, sent: Sent) -> None:
        """Send a batch to the broker: it accepts no more records."""
        sent.batch.close()

    def answer(self, sent: Sent, error: KafkaError | None = None, *, written: bool = False) -> None:
        """Pass on the broker's answer: it refuses bad records, or fails with the error given."""
        self.take(sent)
        self.held.remove(sent)
        bad = any(value.startswith(BAD) for value in sent.batch.values)
        if not bad and (error is None or written):
            self.log[sent.topic, sent.partition] += sent.batch.values
        if error is not None:
            sent.answer.set_exception(error)
        elif bad:
            sent.answer.set_exception(MessageSizeTooLargeError())
        else:
            sent.answer.set_result(object())


@dataclass
class Producers:
    """The line of producers, controlled by the test."""

    log: BrokerLog
    serving: HeldProducer | None = None
    replacing: bool = False
    failed: list[HeldProducer] = field(default_factory=list)
    """Producers that were replaced but have not ended."""

    @property
    def producer(self) -> Any:  # noqa: ANN401 - in the place of aiokafka's
        """The serving producer, None if none serves."""
        return self.serving

    @property
    def unavailable(self) -> bool:
        """Whether nothing serves, and nothing is about to."""
        return self.serving is None and not self.replacing

    def replace(self, producer: Any, _why: str) -> None:  # noqa: ANN401 - as above
        """Replace a failed producer, unless it has already been replaced."""
        if self.serving is not None and producer is self.serving:
            self.failed.append(self.serving)
            self.serving, self.replacing = None, True


@dataclass(eq=False)
class Result:
    """The results that a submission received: one, unless something is wrong."""

    values: Sequence[bytes]
    told: list[NotDurable | None] = field(default_factory=list)
    submission: Submission | None = None

    @property
    def kept(self) -> bool:
        """Whether all records were acknowledged."""
        return self.told == [None]


class Bench:
    """A dispatch on producers that the test controls."""

    def __init__(self) -> None:
        """Start with a serving producer."""
        self.log: BrokerLog = defaultdict(list)
        self.producers = Producers(self.log, HeldProducer(self.log))
        self.registry = CollectorRegistry()
        log = get_log("publish")
        self.trials = TopicTrials(lambda: 0, lambda *_failed: None, 0, 0)
        metrics, room = EdgeMetrics(self.registry), RecordRoom(1024 * 1024)
        self.dispatch = Dispatch(self.producers, self.trials, room, metrics, log, TRIES)
        self.results: list[Result] = []

    @property
    def producer(self) -> HeldProducer:
        """The serving producer."""
        assert self.producers.serving is not None
        return self.producers.serving

    def submit(
        self,
        *values: bytes,
        key: bytes = b"k",
        topic: str = "payment",
        seconds: float | None = None,
        then: Callable[[], object] = lambda: None,
    ) -> Result:
        """Submit records with one key; `then` is called with the result."""
        result = Result(values)
        self.results.append(result)
        records = [OutgoingRecord(topic, key, value, [("ce_type", b"x")]) for value in values]

        def done(problem: NotDurable | None) -> None:
            result.told.append(problem)
            then()

        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        number = len(self.results)
        result.submission = self.dispatch.submit(records, done, number, deadline)
        assert result.told == []
        return result

    def serve(self) -> HeldProducer:
        """Let another producer serve."""
        self.producers.serving, self.producers.replacing = HeldProducer(self.log), False
        self.trials.producer_replaced()
        self.dispatch.serve()
        return self.producers.serving

    def end(self, producer: HeldProducer) -> None:
        """End a producer: it answers nothing more."""
        self.dispatch.ended(producer)

    def failures(self, reason: str) -> float | None:
        """Return how many submissions were counted as failed for a reason."""
        return self.registry.get_sample_value(
            "payrouter_publish_failures_total", {"reason": reason}
        )

    async def settle(self) -> None:
        """Answer everything, with other producers if needed, until nothing is left."""
        while True:
            await turns()
            if self.producers.serving is None:
                self.serve()
                continue
            holding = [self.producer, *self.producers.failed]
            open_batches = [(each, sent) for each in holding for sent in each.held]
            if not open_batches:
                return
            for producer, sent in open_batches:
                producer.answer(sent, None if producer is self.producer else ProducerClosed())


async def turns(count: int = 4) -> None:
    """Let the event loop run callbacks, and those that they schedule."""
    for _ in range(count):
        await asyncio.sleep(0)
