"""The queue of one partition: at most one batch of it is with a producer.

So the records of a partition are written in the order in which they were submitted, even if a batch
is refused and its records are sent one by one, or if another producer sends them. A partition never
waits for another one. The batch with the producer accepts records until the producer takes it out
of its own queue; later ones wait, and leave together in the next batch.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed, UnknownTopicOrPartitionError

from router.broker.refusals import About, about
from router.edge.publishing.at_once import at_once
from router.edge.publishing.record_state import TO_SEND, RecordChange, RecordState
from router.edge.publishing.submission import QueuedRecord

BatchAnswered = Callable[["SharedBatch", BaseException | None], None]

_CHANGES: Mapping[About, RecordChange] = {
    About.PRODUCER: RecordChange.PRODUCER_FAILED,
    About.RECORD: RecordChange.BATCH_REFUSED,
    About.UNCLEAR: RecordChange.BATCH_REFUSED,
    About.TOPIC: RecordChange.REFUSED,
}


class Sending(Protocol):
    """What a lane needs from its publisher."""

    tries: int
    """Most attempts to send a record."""

    def producer(self) -> AIOKafkaProducer | None:
        """Return the producer that serves now, None if none does."""

    def acknowledged(self, topic: str, entries: Sequence[QueuedRecord]) -> None:
        """Process the acknowledgement of a batch."""

    def failed(
        self,
        producer: AIOKafkaProducer,
        entries: Sequence[QueuedRecord],
        error: BaseException,
        *,
        alone: bool,
    ) -> None:
        """Process the failure of a batch."""

    def refused(self, entry: QueuedRecord, error: BaseException) -> None:
        """End the submission of an entry that will not be sent again; raises nothing."""

    def kept(self, entry: QueuedRecord) -> None:
        """Count an acknowledged entry whose caller still waits; raises nothing."""


class SharedBatch:
    """Records that a producer holds together, in order."""

    __slots__ = ("_builder", "_hand_over", "alone", "entries", "producer")

    def __init__(self, producer: AIOKafkaProducer, *, alone: bool) -> None:
        """Start empty; one that is `alone` takes a single record."""
        self.producer = producer
        self.alone = alone
        self.entries: list[QueuedRecord] = []
        self._builder = producer.create_batch()
        self._hand_over: asyncio.Task[asyncio.Future[Any]] | None = None

    def take(self, entry: QueuedRecord) -> bool:
        """Append a record, unless the batch is full or the producer has taken it to be sent."""
        record = entry.record
        appended = self._builder.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        )
        if appended is None:
            return False
        if self.alone:
            self.close()
        entry.drop = None
        entry.change(RecordChange.HANDED_OVER)
        self.entries.append(entry)
        return True

    def close(self) -> None:
        """Accept no further record."""
        self._builder.close()

    def send(self, topic: str, partition: int, answered: BatchAnswered) -> None:
        """Pass it to the producer; call `answered` later, with the error if it failed."""
        send = partial(self.producer.send_batch, self._builder, topic, partition=partition)
        try:
            sent, waiting = at_once(send)
        except Exception as error:  # noqa: BLE001 - the batch has a result even then
            asyncio.get_running_loop().call_soon(answered, self, _meaning(error))
            return
        if waiting is not None:
            self._hand_over = waiting
            waiting.add_done_callback(partial(self._handed_over, answered))
        elif sent is not None:
            sent.add_done_callback(partial(self._resolved, answered))

    def give_up(self) -> None:
        """Stop waiting for the producer to accept it."""
        if self._hand_over is not None:
            self._hand_over.cancel()

    def _handed_over(
        self, answered: BatchAnswered, task: asyncio.Task[asyncio.Future[Any]]
    ) -> None:
        error = _error_of(task)
        if error is not None:
            answered(self, _meaning(error))
        else:
            task.result().add_done_callback(partial(self._resolved, answered))

    def _resolved(self, answered: BatchAnswered, acknowledged: asyncio.Future[Any]) -> None:
        answered(self, _error_of(acknowledged))


def _error_of(future: asyncio.Future[Any]) -> BaseException | None:
    return ProducerClosed() if future.cancelled() else future.exception()


def _meaning(error: BaseException) -> BaseException:
    # aiokafka asserts that the partition exists: the topic may have been made again with fewer.
    return UnknownTopicOrPartitionError() if isinstance(error, AssertionError) else error


class Lane:
    """Records of one partition: those with a producer, and those that wait."""

    __slots__ = ("_held", "_partition", "_sending", "_topic", "waiting")

    def __init__(self, topic: str, partition: int, sending: Sending) -> None:
        """Start empty."""
        self._topic = topic
        self._partition = partition
        self._sending = sending
        self._held: SharedBatch | None = None
        self.waiting: dict[QueuedRecord, None] = {}
        """What waits, in order."""

    def add(self, entry: QueuedRecord) -> None:
        """Queue a record behind all others of the partition, and send it as soon as possible."""
        if self._held is not None and not self.waiting and self._take(self._held, entry):
            return
        self.waiting[entry] = None
        entry.drop = self.waiting.pop
        self.pump()

    def pump(self) -> None:
        """Send what waits, unless a producer holds a batch or none serves."""
        while self._held is None and self.waiting:
            producer = self._sending.producer()
            if producer is None:
                return
            batch = self._filled(producer)
            if batch.entries:
                self._held = batch
                batch.send(self._topic, self._partition, self._answered)

    def take_waiting(self) -> list[QueuedRecord]:
        """Empty the queue; return what waited."""
        return take_all(self.waiting)

    def ended(self, producer: AIOKafkaProducer) -> None:
        """Give the batch a result whose producer has ended without one."""
        if self._held is not None and self._held.producer is producer:
            self._held.give_up()
            self._answered(self._held, ProducerClosed())

    def _filled(self, producer: AIOKafkaProducer) -> SharedBatch:
        """Move what waits to a new batch, as much as has room or must be sent alone."""
        alone = next(iter(self.waiting)).state is RecordState.SUSPECT
        batch, taken = SharedBatch(producer, alone=alone), []
        for entry in self.waiting:
            suspect = entry.state is RecordState.SUSPECT
            if suspect is not alone or not self._take(batch, entry):
                break
            taken.append(entry)
        for entry in taken:
            del self.waiting[entry]
        return batch

    def _take(self, batch: SharedBatch, entry: QueuedRecord) -> bool:
        """Move a record to a batch, or refuse it if it cannot be encoded; False if it must wait."""
        try:
            return batch.take(entry)
        except Exception as error:  # noqa: BLE001 - it would stop all later records
            entry.drop = None
            entry.change(RecordChange.REFUSED)
            asyncio.get_running_loop().call_soon(self._sending.refused, entry, error)
            return True

    def _answered(self, batch: SharedBatch, error: BaseException | None) -> None:
        if batch is not self._held:
            # Its producer had ended before.
            return
        # What is submitted while the results are reported must queue behind what is sent again.
        batch.close()
        try:
            if error is None:
                self._acknowledged(batch)
            else:
                self._failed(batch, error)
        finally:
            self._held = None
            self.pump()

    def _acknowledged(self, batch: SharedBatch) -> None:
        for entry in batch.entries:
            if entry.change(RecordChange.ACKNOWLEDGED) is RecordState.KEPT:
                self._sending.kept(entry)
        self._sending.acknowledged(self._topic, batch.entries)

    def _failed(self, batch: SharedBatch, error: BaseException) -> None:
        again, refused = sort_failed(batch.entries, error, self._sending.tries)
        put_first(self.waiting, again)
        self._sending.failed(batch.producer, batch.entries, error, alone=batch.alone)
        for entry in refused:
            self._sending.refused(entry, error)


def take_all(waiting: dict[QueuedRecord, None]) -> list[QueuedRecord]:
    """Empty a queue; return its entries in order."""
    entries = list(waiting)
    waiting.clear()
    for entry in entries:
        entry.drop = None
    return entries


def put_first(waiting: dict[QueuedRecord, None], first: Sequence[QueuedRecord]) -> None:
    """Put entries at the front of a queue."""
    # In the same dictionary: entries remove themselves from it.
    behind = list(waiting)
    waiting.clear()
    waiting.update(dict.fromkeys([*first, *behind]))
    for entry in first:
        entry.drop = waiting.pop


def sort_failed(
    entries: Sequence[QueuedRecord], error: BaseException, tries: int
) -> tuple[list[QueuedRecord], list[QueuedRecord]]:
    """Change entries after a failed attempt; return those to send again, and those refused."""
    again, refused = [], []
    change = _CHANGES[about(error)]
    for entry in entries:
        entry.tries += 1
        state = entry.change(change)
        if state in TO_SEND and entry.tries >= tries:
            state = entry.change(RecordChange.REFUSED)
        if state in TO_SEND:
            again.append(entry)
        elif state is RecordState.REFUSED:
            refused.append(entry)
    return again, refused
