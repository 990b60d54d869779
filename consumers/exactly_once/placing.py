"""Decides at which offset to read a partition: its fence, if the log is still the same one."""

import asyncio
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.exactly_once.errors import (
    LogUnavailable,
    OtherLog,
    RecordsMissing,
    StartUndecided,
    UnsafeEngineError,
)
from consumers.exactly_once.store import FenceKey, GroupFence, LastPassed, Store
from consumers.runtime.records import Partition, Record, from_client
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.log.gaps import explain
from router.broker.log.reread import reread_records
from router.broker.topics.ids import TopicSeen, cluster_id, describe

BROKER_SECONDS = 10.0
"""How long the broker may take for one answer."""

_SET = text("SELECT set_config('payrouter.transaction', 'open', true)")
_GET = text("SELECT current_setting('payrouter.transaction', true)")

FirstOffset = Literal["earliest", "committed"]

_MADE_ANEW = (
    "; if that is intended, delete the rows of this group and topic from payrouter_fence, and it is"
    " read from its beginning (events applied before are known by their ids, unless `forget`"
    " deleted those)"
)


@dataclass(frozen=True)
class Place:
    """Next offset of a partition, and the log that it belongs to."""

    fence: GroupFence
    topic_id: UUID | None
    epoch: int | None
    """Leader epoch: a new leader may have cut off records that were applied."""


@dataclass(frozen=True)
class FencePlacing:
    """Places the partitions of one group."""

    engine: AsyncEngine
    store: Store
    group_id: str
    begin: FirstOffset | None

    async def place(self, consumer: AIOKafkaConsumer, partition: Partition) -> Place:
        """Return where to read; raises Blocked, or errors of broker and database."""
        cluster = await cluster_id(consumer, BROKER_SECONDS)
        if cluster is None:
            message = f"{partition}: the broker reports no cluster id"
            raise LogUnavailable(message)
        key = FenceKey(self.group_id, cluster, partition)
        topic = await _described(consumer, partition)
        bounds = await _bounds(consumer, partition)
        fence = await self._fence(consumer, key, bounds, topic.topic_id)
        require_same_log(fence, bounds, topic.topic_id)
        await _require_last(consumer, fence, bounds)
        return Place(fence, topic.topic_id, topic.partitions[partition.number].epoch)

    async def is_same(self, consumer: AIOKafkaConsumer, place: Place) -> bool:
        """Return whether the log is certainly the one that was placed."""
        partition = place.fence.key.partition
        topic = await _described(consumer, partition)
        seen = topic.partitions[partition.number]
        known = place.topic_id is not None and place.epoch is not None
        return known and (topic.topic_id, seen.epoch) == (place.topic_id, place.epoch)

    async def _fence(
        self,
        consumer: AIOKafkaConsumer,
        key: FenceKey,
        bounds: LogBounds,
        topic_id: UUID | None,
    ) -> GroupFence:
        """Return the fence, stored before anything is read, so that a loss is noticed."""
        async with self.engine.begin() as connection:
            await require_transactions(connection)
            found = await self.store.read(connection, key)
            if found is not None and (found.topic_id is not None or topic_id is None):
                return found
            start = bounds.start
            if found is None:
                start = await self._first_offset(connection, consumer, key, bounds)
            await self.store.begin(connection, key, start, topic_id)
            found = await self.store.read(connection, key)
        assert found is not None  # noqa: S101 - it was just stored
        return found

    async def _first_offset(
        self,
        connection: AsyncConnection,
        consumer: AIOKafkaConsumer,
        key: FenceKey,
        bounds: LogBounds,
    ) -> int:
        """Return where a group without a fence begins; raises StartUndecided, or OtherLog.

        A log of another cluster may be a mirror that took over, or the wrong broker.
        """
        if await self.store.is_of_another_cluster(connection, key):
            message = (
                f"{key.partition}: group {key.group_id} has applied this topic from another Kafka"
                f" cluster; correct the broker's address if this is not the one that took over"
                f"{_MADE_ANEW}"
            )
            raise OtherLog(message)
        if self.begin == "earliest":
            return bounds.start
        at = TopicPartition(key.partition.topic, key.partition.number)
        async with asyncio.timeout(BROKER_SECONDS):
            committed = await consumer.committed(at)
        if committed is None or committed <= bounds.start:
            return bounds.start
        if self.begin == "committed":
            return int(committed)
        raise StartUndecided(key.partition, key.group_id, int(committed), bounds.start)


async def require_transactions(connection: AsyncConnection) -> None:
    """Raise UnsafeEngineError if each statement is committed by itself."""
    await connection.execute(_SET)
    # asyncpg's dialect does not tell; a setting of a transaction ends with it.
    if await connection.scalar(_GET) != "open":
        message = (
            "the engine's isolation level is AUTOCOMMIT, which has no transactions: give the guard"
            " an engine with READ COMMITTED, PostgreSQL's default"
        )
        raise UnsafeEngineError(message)


async def require_explained(consumer: AIOKafkaConsumer, partition: Partition, gap: range) -> None:
    """Raise RecordsMissing unless transactions explain every offset of a gap."""
    at = TopicPartition(partition.topic, partition.number)
    missing = await explain(consumer, at, [gap], BROKER_SECONDS)
    if missing:
        raise RecordsMissing(partition, missing[0], gap.stop)


def require_same_log(fence: GroupFence, bounds: LogBounds, topic_id: UUID | None) -> None:
    """Raise OtherLog if the log cannot be the one of the fence, or has lost unread records."""
    partition, offset = fence.key.partition, fence.next_offset
    if None not in {topic_id, fence.topic_id} and topic_id != fence.topic_id:
        message = f"{partition}: the topic was deleted and created again{_MADE_ANEW}"
        raise OtherLog(message)
    if offset > bounds.end:
        message = (
            f"{partition}: the next offset is {offset}, but the log ends at {bounds.end}: the topic"
            f" was created again, or the broker lost records{_MADE_ANEW}"
        )
        raise OtherLog(message)
    if offset < bounds.start:
        message = (
            f"{partition}: the next offset is {offset}, but the log begins at {bounds.start}:"
            f" {bounds.start - offset} offsets were deleted before they were applied. Find out what"
            " was lost (payrouter trace), then move next_offset of the fence"
        )
        raise OtherLog(message)


def require_same_record(last: LastPassed, record: Record) -> None:
    """Raise OtherLog if another record is at the offset of the last passed one."""
    if record.offset != last.offset or last.timestamp < 0:
        return
    if (record.timestamp, record.crc) != (last.timestamp, last.crc):
        message = (
            f"{record.partition}: offset {last.offset} has another record than the one applied:"
            f" the topic was created again{_MADE_ANEW}"
        )
        raise OtherLog(message)


async def _require_last(consumer: AIOKafkaConsumer, fence: GroupFence, bounds: LogBounds) -> None:
    """Read the last passed record again, if the log still has it, and compare it."""
    last, partition = fence.last, fence.key.partition
    if last is None or not bounds.start <= last.offset < bounds.end:
        return
    at = TopicPartition(partition.topic, partition.number)
    seen = await reread_records(consumer, at, last.offset, 1)
    for message in seen.records:
        require_same_record(last, from_client(partition, message))


async def _described(consumer: AIOKafkaConsumer, partition: Partition) -> TopicSeen:
    topic = (await describe(consumer, [partition.topic], BROKER_SECONDS))[partition.topic]
    if topic.error is not None or partition.number not in topic.partitions:
        message = (
            f"{partition}: the broker answers {topic.error or 'that it has no such partition'}"
        )
        raise LogUnavailable(message)
    return topic


async def _bounds(consumer: AIOKafkaConsumer, partition: Partition) -> LogBounds:
    at = TopicPartition(partition.topic, partition.number)
    bounds = (await log_bounds(consumer, [at], BROKER_SECONDS)).get(at)
    if bounds is None:
        message = f"{partition}: its leader does not answer where the log begins and ends"
        raise LogUnavailable(message)
    return bounds
