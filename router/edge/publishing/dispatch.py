"""Sends submissions: places their records, counts their results, sets their deadlines."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from aiokafka import AIOKafkaProducer

from router.broker.refusals import About, about
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.deadlines import DeadlineQueue
from router.edge.publishing.record_room import RecordRoom, size_of
from router.edge.publishing.record_state import WITH_PRODUCER, RecordChange
from router.edge.publishing.submission import Done, QueuedRecord, Submission, call
from router.edge.publishing.topic_queue import TopicQueue
from router.edge.publishing.topic_trials import TopicTrials
from router.errors import NotDurable, Reason, RecordRefused
from router.telemetry.logs import Log

UNAVAILABLE = "no connection to the broker"


class Producers(Protocol):
    """The producers, at most one of which serves: see `ProducerLine`."""

    @property
    def producer(self) -> AIOKafkaProducer | None:
        """The serving producer, None if none serves."""

    @property
    def unavailable(self) -> bool:
        """Whether nothing serves, and nothing is about to."""

    def replace(self, producer: AIOKafkaProducer, why: str) -> None:
        """Replace a failed producer, unless it has already been replaced."""


class Dispatch:
    """All submissions that have no result yet. Implements `Sending` for its queues."""

    def __init__(
        self,
        line: Producers,
        trials: TopicTrials,
        room: RecordRoom,
        metrics: EdgeMetrics,
        log: Log,
        tries: int,
    ) -> None:
        """Store the parts; `tries` is the most attempts to send a record."""
        self._line = line
        self._trials = trials
        self._room = room
        self._metrics = metrics
        self._log = log
        self.tries = tries
        self._queues: dict[str, TopicQueue] = {}
        self._deadlines = DeadlineQueue()

    def submit(
        self, records: Sequence[OutgoingRecord], done: Done, attempt: int, deadline: float | None
    ) -> Submission:
        """Queue records; call `done` later: see `KafkaPublisher.submit`."""
        submission = Submission(records, done, attempt, time.perf_counter())
        problem = self._problem_of(records)
        if problem is not None:
            asyncio.get_running_loop().call_soon(submission.refuse, problem)
        elif not records:
            asyncio.get_running_loop().call_soon(call, done, None)
        else:
            if deadline is not None:
                expire = partial(self._expire, submission)
                submission.cancel_deadline = self._deadlines.add(deadline, expire).cancel
            for entry in submission.entries:
                self._queue(entry.record.topic).add(entry)
        return submission

    def give_up(self, submission: Submission) -> None:
        """Call `done` no more; the records that a producer holds may still be written."""
        if submission.ended:
            return
        left = [(entry, state in WITH_PRODUCER) for entry, state in submission.give_up()]
        self._metrics.publish_failures.labels("deadline").inc()
        self._trials.given_up(left, time.monotonic())

    def serve(self) -> None:
        """Send what waits with the producer that begins to serve."""
        for queue in self._queues.values():
            queue.serve()

    def ended(self, producer: AIOKafkaProducer) -> None:
        """Give a result to everything that waits for a producer that has ended."""
        for queue in self._queues.values():
            queue.ended(producer)
        self.refuse_unavailable()

    def update_partitions(self) -> None:
        """Use new partitions of the topics from now on."""
        for queue in self._queues.values():
            queue.update_partitions()

    def refuse_unavailable(self) -> None:
        """Refuse what waits, if no producer is about to serve."""
        if self._line.unavailable:
            self._refuse_waiting()

    def close(self) -> None:
        """Refuse everything that is left; call it once every producer has ended."""
        self._refuse_waiting()
        self._deadlines.close()

    # `Sending`

    def producer(self) -> AIOKafkaProducer | None:
        """Return the producer that serves now, None if none does."""
        return self._line.producer

    def acknowledged(self, topic: str, entries: Sequence[QueuedRecord]) -> None:
        """Record the health of the topic."""
        self._trials.acknowledged(topic, max(entry.submission.attempt for entry in entries))

    def failed(
        self,
        producer: AIOKafkaProducer,
        entries: Sequence[QueuedRecord],
        error: BaseException,
        *,
        alone: bool,
    ) -> None:
        """Record the health of the topic, and replace the producer if the error requires it."""
        last = max(entries, key=_attempt)
        attempt, records = last.submission.attempt, len(entries)
        self.report(producer, last.record, attempt, error, alone=alone, records=records)
        if self._line.unavailable:
            asyncio.get_running_loop().call_soon(self.refuse_unavailable)

    def report(
        self,
        producer: AIOKafkaProducer,
        record: OutgoingRecord,
        attempt: int,
        error: BaseException,
        *,
        alone: bool,
        records: int = 1,
    ) -> None:
        """Record a failed attempt to send `records` records, of which this is the last one."""
        kind, name = about(error), type(error).__name__
        self._log.info(
            "record_not_acknowledged",
            topic=record.topic,
            error=name,
            about=kind.value,
            records=records,
        )
        if kind in {About.PRODUCER, About.UNCLEAR}:
            self._line.replace(producer, f"the producer failed: {name}")
        self._trials.refused(record, attempt, error, alone=alone)
        if alone and kind is About.RECORD:
            self._room.was_refused(record)

    def kept(self, entry: QueuedRecord) -> None:
        """Count an acknowledged record; end its submission if it was the last one."""
        entry.submission.kept()
        try:
            seconds = time.perf_counter() - entry.submission.started
            self._metrics.published(entry.record.topic, _type(entry.record), seconds)
        except Exception:  # noqa: BLE001 - logged
            # The other records of its batch need their results.
            self._log.exception("publish_metric_failed", topic=entry.record.topic)

    def refused(self, entry: QueuedRecord, error: BaseException) -> None:
        """End the submission of a record that will not be sent again."""
        if entry.submission.ended:
            return
        self._metrics.publish_failures.labels("rejected").inc()
        entry.submission.refuse(self._refusal(entry, error))

    def _refusal(self, entry: QueuedRecord, error: BaseException) -> NotDurable:
        if entry.tries >= self.tries:
            return NotDurable(Reason.NOT_DURABLE, f"{self.tries} producers in a row failed")
        # Without any attempt: it could not be encoded.
        kind = about(error) if entry.tries else About.RECORD
        name, topic = type(error).__name__, entry.record.topic
        size = size_of(entry.record)
        self._log.error("publish_refused", topic=topic, error=name, about=kind.value, bytes=size)
        for_good = kind is About.RECORD
        return RecordRefused(Reason.NOT_DURABLE, f"topic {topic}: {name}", for_good=for_good)

    def _problem_of(self, records: Sequence[OutgoingRecord]) -> NotDurable | None:
        """Return why records cannot be sent at all, None if they can."""
        for record in records:
            problem = self._room.problem(record)
            if problem is not None:
                self._metrics.publish_failures.labels("too_large").inc()
                self._log.error("record_too_large", topic=record.topic, detail=problem)
                detail = f"the record is too large: {problem}"
                return RecordRefused(Reason.NOT_DURABLE, detail, for_good=True)
        if records and self._line.unavailable:
            self._metrics.publish_failures.labels("unavailable").inc()
            return NotDurable(Reason.NOT_DURABLE, UNAVAILABLE)
        return None

    def _queue(self, topic: str) -> TopicQueue:
        queue = self._queues.get(topic)
        if queue is None:
            queue = self._queues[topic] = TopicQueue(topic, self)
        return queue

    def _expire(self, submission: Submission) -> None:
        done = submission.done
        try:
            self.give_up(submission)
        finally:
            if done is not None:
                call(done, NotDurable(Reason.NOT_DURABLE, "no acknowledgement in time"))

    def _refuse_waiting(self) -> None:
        waiting = [entry for queue in self._queues.values() for entry in queue.take_waiting()]
        for entry in waiting:
            entry.change(RecordChange.REFUSED)
        for entry in waiting:
            if not entry.submission.ended:
                self._metrics.publish_failures.labels("unavailable").inc()
                entry.submission.refuse(NotDurable(Reason.NOT_DURABLE, UNAVAILABLE))


def _attempt(entry: QueuedRecord) -> int:
    return entry.submission.attempt


def _type(record: OutgoingRecord) -> str:
    return dict(record.headers)["ce_type"].decode()
