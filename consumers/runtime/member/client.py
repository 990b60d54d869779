"""Wrapper of aiokafka's consumer: the group member as the loop uses it.

It handles three habits of aiokafka's consumer. A fetch waits for as long as a
rebalance lasts. A record that it cannot read raises out of the fetch, and the
records that this fetch had already taken from other partitions are lost, although
the positions have moved past them; so that record is located and read in another
way. And if aiokafka's background task has died, every later fetch returns nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError

from consumers.runtime.apply.failures import Action, Phase, decide, describe
from consumers.runtime.fetched_ahead import FetchedAhead
from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerTiming, Tuning
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.log.gaps import ExplanationUnfinished, explain
from router.broker.log.reread import reread_records
from router.broker.topics.ids import TopicSeen
from router.broker.topics.ids import describe as describe_topics

_REBALANCE_SECONDS = 0.5
"""How long a fetch may wait for a rebalance, beyond its own time, before the loop continues."""

EXPLAIN_SECONDS = 10.0
"""How long the broker may take for one part of the explanation of a gap."""


class PositionsLost(Exception):  # noqa: N818 - reads as what happened
    """All partitions have to be placed again: fetched records are lost, or no fetch is answered."""


class RecordUnreadable(PositionsLost):
    """aiokafka cannot read one of the fetched records; which one is not yet known."""


class RecordUnfetchable(Exception):  # noqa: N818 - reads as what it is
    """The next record of a partition cannot be read in any way."""

    def __init__(self, partition: Partition, offset: int, error: Exception) -> None:
        """Store the offset and the problem; a missing codec is a fault of the installation."""
        self.partition, self.offset, self.problem = partition, offset, describe(error)
        self.installation_fault = decide(error, Phase.REREAD) is Action.HALT
        super().__init__(f"{partition} offset {offset} cannot be read: {self.problem}")


class Client:
    """Drives aiokafka's consumer; tracks partitions that may have a record it cannot read."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        tuning: Tuning,
        timing: ConsumerTiming,
        *,
        in_time_order: bool = False,
    ) -> None:
        """Wrap a consumer that has joined its group; in time order, see `FetchedAhead`."""
        self._consumer = consumer
        self._tuning = tuning
        self._timing = timing
        ahead = FetchedAhead(timing.order_seconds, tuning.batch_records)
        self._ahead = ahead if in_time_order else None
        self._suspects: dict[Partition, int] = {}
        self._silent = 0.0
        self._doubted = False
        self._last_answer = 0
        self._unanswered: float | None = None

    async def fetch(self, placed: Collection[Partition]) -> Mapping[Partition, Sequence[Any]]:
        """Fetch the next records; empty if none arrive in time.

        Raises PositionsLost; RecordUnfetchable if a known record cannot be read, after
        which its partition has to be sought; KafkaError if the client has to be replaced.
        """
        ahead = self._ahead
        if ahead is None:
            return await self._fetch(placed)
        empty = [each for each in placed if each not in ahead]
        if empty:
            waits = len(empty) == len(placed) or bool(await self._unread(empty))
            ahead.add(await self._fetch(empty, self._tuning.batch_wait_seconds if waits else 0))
        return ahead.take(placed, await self._unread(placed), time.monotonic())

    def is_ahead(self, partition: Partition) -> bool:
        """Return whether records of a partition are fetched that `fetch` has not returned yet."""
        return self._ahead is not None and partition in self._ahead

    async def _unread(self, placed: Collection[Partition]) -> Collection[Partition]:
        """Return the partitions whose logs have records that are not fetched, or may have.

        Not those revoked during the fetch.
        """
        assigned = self._consumer.assignment()
        wanted = [each for each in placed if _topic_partition(each) in assigned]
        ends = {each: self._stable_end(each) for each in wanted}
        return [
            each for each, end in ends.items() if end is None or await self.position(each) < end
        ]

    def _stable_end(self, partition: Partition) -> int | None:
        """Return where committed records ended at the last fetch; None before the first."""
        at = _topic_partition(partition)
        stable: int | None = self._consumer.last_stable_offset(at)
        return self._consumer.highwater(at) if stable is None else stable

    async def _fetch(
        self, placed: Collection[Partition], seconds: float | None = None
    ) -> Mapping[Partition, Sequence[Any]]:
        """Fetch from these partitions, and wait for so long for a record."""
        wait = self._tuning.batch_wait_seconds if seconds is None else seconds
        suspect = min(self._suspects.keys() & set(placed), default=None)
        started = time.monotonic()
        if suspect is not None:
            singly = await self._fetch_singly(suspect)
            self._note_answer([suspect], singly, time.monotonic() - started)
            return singly
        try:
            fetched = await self._poll(placed, wait)
        except RecordUnreadable:
            self._suspects = dict.fromkeys(placed, 0)
            raise
        self._note_answer(placed, fetched, time.monotonic() - started)
        return fetched

    async def hold(self) -> None:
        """Poll with all partitions paused: keeps the membership, fetches no record."""
        self._consumer.pause(*self._consumer.assignment())
        with contextlib.suppress(PositionsLost):
            # Records of an unplaced partition are not used: a seek comes first.
            await self._poll((), 0)

    def resume(self, placed: Collection[Partition]) -> None:
        """Fetch from these partitions only."""
        wanted = set(map(_topic_partition, placed))
        self._consumer.pause(*(self._consumer.assignment() - wanted))
        self._consumer.resume(*wanted)

    def pause(self, partition: Partition) -> None:
        """Stop fetching from a partition, if it is still assigned."""
        with contextlib.suppress(IllegalStateError):
            self._consumer.pause(_topic_partition(partition))

    def seek(self, partition: Partition, offset: int, end: int) -> None:
        """Continue reading at `offset`, in a log that ends at `end`."""
        if self._ahead is not None:
            self._ahead.forget(partition)
        self._consumer.seek(_topic_partition(partition), offset)
        self._consumer.resume(_topic_partition(partition))
        if partition in self._suspects:
            self._suspects[partition] = end

    def ends(self, placed: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Return where the logs ended at the last fetch; None if unknown."""
        return {
            partition: self._consumer.highwater(_topic_partition(partition)) for partition in placed
        }

    async def position(self, partition: Partition) -> int:
        """Return the next offset that the client will return for a partition.

        Raises IllegalStateError without a seek since the last assignment: aiokafka
        would wait forever.
        """
        try:
            async with asyncio.timeout(self._timing.position_seconds):
                return int(await self._consumer.position(_topic_partition(partition)))
        except TimeoutError:
            message = f"{partition} has no position: it was assigned again since the last seek"
            raise IllegalStateError(message) from None

    async def topics(self, names: Collection[str], seconds: float) -> Mapping[str, TopicSeen]:
        """Return the current metadata of topics. Raises KafkaError or TimeoutError."""
        started = time.monotonic()
        try:
            topics = await describe_topics(self._consumer, names, seconds)
        except (KafkaError, TimeoutError):
            self._unanswered = self._unanswered or started
            raise
        self._unanswered = None
        return topics

    def require_answers(self) -> None:
        """Raise KafkaTimeoutError if no metadata request was answered for too long.

        The client only asks the brokers in its metadata, which may no longer exist;
        a new client starts from the configured addresses.
        """
        since, longest = self._unanswered, self._timing.unanswered_seconds
        if since is not None and time.monotonic() - since > longest:
            message = f"no broker has answered for {longest:.0f} s"
            raise KafkaTimeoutError(message)

    async def bounds(
        self, partitions: Collection[Partition], seconds: float
    ) -> Mapping[Partition, LogBounds]:
        """Return where each log begins and ends; partitions without an answer are left out.

        Raises KafkaError or TimeoutError if no broker answers.
        """
        found = await log_bounds(self._consumer, list(map(_topic_partition, partitions)), seconds)
        return {Partition(tp.topic, tp.partition): bounds for tp, bounds in found.items()}

    async def explain(self, partition: Partition, gaps: Sequence[range]) -> Sequence[range]:
        """Return the offsets within gaps that the log does not explain, at least the first.

        Raises KafkaError, or TimeoutError if the broker returns nothing in time.
        """
        left: Sequence[range] = gaps
        while True:
            try:
                return await explain(
                    self._consumer, _topic_partition(partition), left, EXPLAIN_SECONDS
                )
            except ExplanationUnfinished as unfinished:
                if unfinished.missing:
                    return unfinished.missing
                if list(unfinished.left) == list(left):
                    raise
                left = unfinished.left

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit offsets to Kafka. Raises KafkaError or TimeoutError."""
        committed = {_topic_partition(partition): offset for partition, offset in offsets.items()}
        async with asyncio.timeout(self._tuning.commit_timeout_seconds):
            await self._consumer.commit(committed)

    async def _fetch_singly(self, partition: Partition) -> Mapping[Partition, Sequence[Any]]:
        """Fetch the records of a suspect singly; reread the first one if that fails."""
        records: list[Any] = []
        while len(records) < self._tuning.batch_records:
            offset = await self.position(partition)
            wait = 0 if records else self._tuning.batch_wait_seconds
            try:
                fetched = await self._poll([partition], wait, most=1)
            except RecordUnreadable:
                fetched = {}
                # After other records: once those are applied, it comes first in a later fetch.
                self._consumer.seek(_topic_partition(partition), offset)
                if not records:
                    records += await self._reread(partition, offset)
            if not fetched:
                break
            records += fetched[partition]
        if await self.position(partition) >= self._suspects[partition]:
            del self._suspects[partition]
        return {partition: records} if records else {}

    async def _reread(self, partition: Partition, offset: int) -> Sequence[Any]:
        """Read in another way from a record that the consumer cannot read; it stays a suspect.

        Raises RecordUnfetchable if that record cannot be read at all.
        """
        most = self._tuning.batch_records
        try:
            seen = await reread_records(self._consumer, _topic_partition(partition), offset, most)
        except (KafkaError, TimeoutError) as error:
            raise PositionsLost(describe(error)) from error
        if seen.problem is not None and not seen.records:
            raise RecordUnfetchable(partition, seen.next_offset, seen.problem) from None
        self._consumer.seek(_topic_partition(partition), seen.next_offset)
        return seen.records

    async def _poll(
        self, partitions: Collection[Partition], seconds: float, most: int | None = None
    ) -> Mapping[Partition, Sequence[Any]]:
        try:
            # A time-out cancels it while waiting, before it takes records: none is lost.
            async with asyncio.timeout(seconds + _REBALANCE_SECONDS):
                fetched = await self._consumer.getmany(
                    *map(_topic_partition, partitions),
                    timeout_ms=int(seconds * 1000),
                    max_records=most or self._tuning.batch_records,
                )
        except TimeoutError:
            return {}
        except Exception as error:
            action = decide(error, Phase.FETCH)
            if action is Action.REPOSITION:
                raise PositionsLost(describe(error)) from error
            if action is Action.NARROW:
                raise RecordUnreadable(describe(error)) from error
            raise
        return {Partition(tp.topic, tp.partition): records for tp, records in fetched.items()}

    def _note_answer(self, placed: Collection[Partition], fetched: object, seconds: float) -> None:
        assigned = self._consumer.assignment() & set(map(_topic_partition, placed))
        answers = (self._consumer.last_poll_timestamp(tp) or 0 for tp in assigned)
        last_answer = max(answers, default=0)
        if fetched or last_answer != self._last_answer:
            self._last_answer, self._silent, self._doubted = last_answer, 0.0, False
            return
        self._silent += seconds
        if self._silent <= self._timing.silent_seconds:
            return
        message = f"no fetch was answered for {self._timing.silent_seconds:.0f} s"
        if self._doubted:
            raise KafkaTimeoutError(message)
        self._silent, self._doubted = 0.0, True
        raise PositionsLost(message)


def _topic_partition(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)
