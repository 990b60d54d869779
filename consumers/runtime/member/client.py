"""The member of the group as the loop sees it: what is asked of aiokafka, and what it may answer.

Three habits of aiokafka's consumer are seen to here. A fetch waits for as long
as a rebalance lasts. A record that it cannot read raises out of the fetch, and
what the same fetch had taken from other partitions by then is lost, with the
positions moved behind it: such a record is found and read in another way. And
where its task in the background has died, every later fetch just finds nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError

from consumers.runtime.apply.failures import Action, Phase, decide, describe
from consumers.runtime.records import Partition
from consumers.runtime.settings import Tuning
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.log.gaps import ExplanationUnfinished, explain
from router.broker.log.reread import reread_records
from router.broker.topics.ids import TopicSeen
from router.broker.topics.ids import describe as describe_topics

SILENT_SECONDS = 15.0
"""Without an answer to a fetch for so long, the broker is away, or the client is dead.

First the partitions are placed again, which needs an answer of a broker. The client is replaced
only if fetches stay without one: the group then waits until the old client's session expires.
"""

UNANSWERED_SECONDS = 120.0
"""Without an answer to any question for so long, the brokers that the client knows may be gone.

Longer than a restart of a broker takes: the client is the same member after it.
"""

_REBALANCE_SECONDS = 0.5
"""How long a fetch may wait for a rebalance, beyond its own time, before the loop looks round."""

POSITION_SECONDS = 1.0
"""How long the client may look for its position; it knows one that was sought."""

EXPLAIN_SECONDS = 10.0
"""How long the broker may take for a part of what a gap is explained from."""


class PlaceLost(Exception):  # noqa: N818 - reads as what happened
    """Every partition has to be placed again: records may be lost, or no fetch is answered."""


class RecordUnreadable(PlaceLost):
    """It has, since it cannot read one of them."""


class RecordUnfetchable(Exception):  # noqa: N818 - reads as what it is
    """It is known which record cannot be read in any way; nothing before it is left."""

    def __init__(self, partition: Partition, offset: int, error: Exception) -> None:
        """Name the place, and say whether it is the record, or what is installed here."""
        self.partition, self.offset, self.problem = partition, offset, describe(error)
        self.ours = decide(error, Phase.LOOK) is Action.HALT
        super().__init__(f"{partition} offset {offset} cannot be read: {self.problem}")


class Client:
    """Asks the consumer, and knows which partitions may hold a record it cannot read."""

    def __init__(self, consumer: AIOKafkaConsumer, tuning: Tuning) -> None:
        """Drive a consumer that has joined its group."""
        self._consumer = consumer
        self._tuning = tuning
        self._suspects: dict[Partition, int] = {}
        self._silent = 0.0
        self._doubted = False
        self._last_answer = 0
        self._unanswered: float | None = None

    async def fetch(self, placed: Collection[Partition]) -> Mapping[Partition, Sequence[Any]]:
        """Take the next records, or nothing for a while.

        Raises PlaceLost; RecordUnfetchable where it is known which one cannot be
        read, the partition then has to be sought; KafkaError where the client has to be replaced.
        """
        suspect = min(self._suspects.keys() & set(placed), default=None)
        started = time.monotonic()
        if suspect is not None:
            singly = await self._fetch_singly(suspect)
            self._listen([suspect], singly, time.monotonic() - started)
            return singly
        try:
            fetched = await self._poll(placed, self._tuning.batch_wait_seconds)
        except RecordUnreadable:
            self._suspects = dict.fromkeys(placed, 0)
            raise
        self._listen(placed, fetched, time.monotonic() - started)
        return fetched

    async def hold(self) -> None:
        """Poll with everything paused: the group hears from us, no record is taken."""
        self._consumer.pause(*self._consumer.assignment())
        with contextlib.suppress(PlaceLost):
            # Of a partition that is not placed nothing is kept: it is sought first.
            await self._poll((), 0)

    def resume(self, placed: Collection[Partition]) -> None:
        """Have these partitions fetched from, and no others."""
        wanted = set(map(_theirs, placed))
        self._consumer.pause(*(self._consumer.assignment() - wanted))
        self._consumer.resume(*wanted)

    def pause(self, partition: Partition) -> None:
        """Fetch no more from a partition, if it is still assigned."""
        with contextlib.suppress(IllegalStateError):
            self._consumer.pause(_theirs(partition))

    def seek(self, partition: Partition, offset: int, end: int) -> None:
        """Read on from `offset`, in a log that ends at `end`."""
        self._consumer.seek(_theirs(partition), offset)
        self._consumer.resume(_theirs(partition))
        if partition in self._suspects:
            self._suspects[partition] = end

    def ends(self, placed: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Tell where the logs ended at the last fetch."""
        return {partition: self._consumer.highwater(_theirs(partition)) for partition in placed}

    async def position(self, partition: Partition) -> int:
        """Return the next offset that the client would give; of a partition that was sought.

        Raises IllegalStateError if it was not sought since its last assignment: aiokafka
        would wait for ever.
        """
        try:
            async with asyncio.timeout(POSITION_SECONDS):
                return int(await self._consumer.position(_theirs(partition)))
        except TimeoutError:
            message = f"{partition} has no position: it was assigned again meanwhile"
            raise IllegalStateError(message) from None

    async def topics(self, names: Collection[str], seconds: float) -> Mapping[str, TopicSeen]:
        """Ask which topics these are now. Raises KafkaError or TimeoutError."""
        asked = time.monotonic()
        try:
            topics = await describe_topics(self._consumer, names, seconds)
        except (KafkaError, TimeoutError):
            self._unanswered = self._unanswered or asked
            raise
        self._unanswered = None
        return topics

    def require_answers(self) -> None:
        """Raise KafkaTimeoutError where no broker has said for long what is asked for placing.

        The client asks those that it knows and no others, and they may be gone
        for good: a new one begins with the configured addresses.
        """
        since = self._unanswered
        if since is not None and time.monotonic() - since > UNANSWERED_SECONDS:
            message = f"no question was answered for {UNANSWERED_SECONDS:.0f} s"
            raise KafkaTimeoutError(message)

    async def bounds(
        self, partitions: Collection[Partition], seconds: float
    ) -> Mapping[Partition, LogBounds]:
        """Ask where each log begins and ends; a partition without an answer is left out.

        Raises KafkaError or TimeoutError where no broker answers.
        """
        found = await log_bounds(self._consumer, list(map(_theirs, partitions)), seconds)
        return {Partition(tp.topic, tp.partition): bounds for tp, bounds in found.items()}

    async def explain(self, partition: Partition, gaps: Sequence[range]) -> Sequence[range]:
        """Return the offsets within gaps that the log does not explain, at least the first.

        Raises KafkaError, or TimeoutError where the broker gives nothing in time.
        """
        left: Sequence[range] = gaps
        while True:
            try:
                return await explain(self._consumer, _theirs(partition), left, EXPLAIN_SECONDS)
            except ExplanationUnfinished as unfinished:
                if unfinished.missing:
                    return unfinished.missing
                if list(unfinished.left) == list(left):
                    raise
                left = unfinished.left

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far it is. Raises KafkaError or TimeoutError."""
        theirs = {_theirs(partition): offset for partition, offset in offsets.items()}
        async with asyncio.timeout(self._tuning.commit_timeout_seconds):
            await self._consumer.commit(theirs)

    async def _fetch_singly(self, partition: Partition) -> Mapping[Partition, Sequence[Any]]:
        """Take the records of a suspect one by one, and otherwise where one cannot be read so."""
        records: list[Any] = []
        while len(records) < self._tuning.batch_records:
            offset = await self.position(partition)
            wait = 0 if records else self._tuning.batch_wait_seconds
            try:
                fetched = await self._poll([partition], wait, most=1)
            except RecordUnreadable:
                fetched = {}
                # Behind others, it is met again when these are applied, as the first one.
                self._consumer.seek(_theirs(partition), offset)
                if not records:
                    records += await self._look_again(partition, offset)
            if not fetched:
                break
            records += fetched[partition]
        if await self.position(partition) >= self._suspects[partition]:
            del self._suspects[partition]
        return {partition: records} if records else {}

    async def _look_again(self, partition: Partition, offset: int) -> Sequence[Any]:
        """Read from a record on that the consumer cannot read; it stays a suspect.

        Raises RecordUnfetchable where nothing helps.
        """
        most = self._tuning.batch_records
        try:
            seen = await reread_records(self._consumer, _theirs(partition), offset, most)
        except (KafkaError, TimeoutError) as error:
            raise PlaceLost(describe(error)) from error
        if seen.problem is not None and not seen.records:
            raise RecordUnfetchable(partition, seen.next_offset, seen.problem) from None
        self._consumer.seek(_theirs(partition), seen.next_offset)
        return seen.records

    async def _poll(
        self, partitions: Collection[Partition], seconds: float, most: int | None = None
    ) -> Mapping[Partition, Sequence[Any]]:
        try:
            # Cancelled where it waits, before it takes anything: no record is lost.
            async with asyncio.timeout(seconds + _REBALANCE_SECONDS):
                fetched = await self._consumer.getmany(
                    *map(_theirs, partitions),
                    timeout_ms=int(seconds * 1000),
                    max_records=most or self._tuning.batch_records,
                )
        except TimeoutError:
            return {}
        except Exception as error:
            action = decide(error, Phase.FETCH)
            if action is Action.REPOSITION:
                raise PlaceLost(describe(error)) from error
            if action is Action.NARROW:
                raise RecordUnreadable(describe(error)) from error
            raise
        return {Partition(tp.topic, tp.partition): records for tp, records in fetched.items()}

    def _listen(self, placed: Collection[Partition], fetched: object, seconds: float) -> None:
        assigned = self._consumer.assignment() & set(map(_theirs, placed))
        answers = (self._consumer.last_poll_timestamp(tp) or 0 for tp in assigned)
        last_answer = max(answers, default=0)
        if fetched or last_answer != self._last_answer:
            self._last_answer, self._silent, self._doubted = last_answer, 0.0, False
            return
        self._silent += seconds
        if self._silent <= SILENT_SECONDS:
            return
        message = f"no fetch was answered for {SILENT_SECONDS:.0f} s"
        if self._doubted:
            raise KafkaTimeoutError(message)
        self._silent, self._doubted = 0.0, True
        raise PlaceLost(message)


def _theirs(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)
