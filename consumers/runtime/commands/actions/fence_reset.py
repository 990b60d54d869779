"""Plans and applies a reset of fences: the next offset to apply, set by an operator."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.memory import remembered_since
from consumers.runtime.apply.offsets import read_fences, read_fences_elsewhere
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.configured import Consumer
from consumers.runtime.member.subscription import broker_cluster_id
from consumers.runtime.records import NO_TIMESTAMP, Partition
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import COUNTS, RuntimeTables
from router.broker.adapter.bootstrap import unreachable
from router.broker.client import make_consumer
from router.broker.log.reread import reread_records
from router.broker.rights import KafkaOperation, on_topic
from router.broker.topics.ids import describe, require_shown
from router.terminal.operator_name import operator_name

ASK_SECONDS = 15.0
"""Time limit for an answer of the broker."""


class ResetRefused(Exception):  # noqa: N818 - reads as what happened
    """The fence cannot be set, or must not be; the message is the reason."""


@dataclass(frozen=True)
class Reset:
    """Fence of one partition before and after, and the bounds of the log."""

    partition: Partition
    was: int | None
    to: int
    begin: int
    end: int
    oldest: datetime | None = None
    """Time at which the record at `to` was written; None if there is none, or it has none."""
    topic_id: UUID | None = None
    """Id of the topic whose log the fence is set in; None if the broker has no topic ids."""
    moved: bool = False
    """Whether the partition was read from another cluster so far."""
    applied_there: datetime | None = None
    """Time at which the last record applied there was written, if it is known."""

    @property
    def lacks(self) -> bool:
        """Whether records may be missing between the last one applied there and the first here."""
        there, here = self.applied_there, self.oldest
        return there is not None and (here is None or here > there)

    def as_json(self) -> dict[str, object]:
        """Return the fields, as JSON values."""
        topic_id = str(self.topic_id) if self.topic_id is not None else None
        times = {"oldest": self.oldest, "applied_there": self.applied_there}
        shown = {name: time and time.isoformat() for name, time in times.items()}
        values = {**asdict(self), **shown, "topic_id": topic_id}
        topic, number = values.pop("partition")
        return {"topic": topic, "partition": number, **values}


@dataclass(frozen=True)
class ResetPlan:
    """What a reset would do, and since when event ids are remembered."""

    cluster_id: str
    resets: Sequence[Reset]
    known_since: datetime

    def forgotten(self) -> Sequence[Reset]:
        """Return resets further back than event ids are remembered: effects might double."""
        return [
            each
            for each in self.resets
            if (each.was is not None or each.moved)
            and each.to < (each.end if each.was is None else min(each.was, each.end))
            and (each.oldest is None or each.oldest < self.known_since)
        ]


async def plan_reset(consumer: Consumer, topic: str, number: int | None, to: str) -> ResetPlan:
    """Plan a reset. Raises ResetRefused, StoreUnavailable."""
    settings = consumer.settings
    try:
        cluster_id = settings.cluster_id or await broker_cluster_id(settings.kafka)
        logs = await _logs(consumer, topic, number, to)
    except (KafkaError, TimeoutError, OSError) as error:
        reading_it = on_topic(settings.kafka.principal, KafkaOperation.READ, topic, "offsets reset")
        message = unreachable(error, settings.bootstrap, [reading_it])
        raise ResetRefused(message) from None
    async with reading(settings) as connection:
        fences = await read_fences(connection, consumer.tables, cluster_id)
        elsewhere = await read_fences_elsewhere(connection, consumer.tables, cluster_id)
        days = settings.tuning.remember_days
        since = await remembered_since(connection, consumer.tables, days)
    there = {partition: fence.next_offset for partition, fence in fences.items()}
    resets = [_known(replace(each, was=there.get(each.partition)), elsewhere) for each in logs]
    return ResetPlan(cluster_id, resets, since)


def _known(reset: Reset, elsewhere: Mapping[Partition, int | None]) -> Reset:
    """Add what is known of the partition in other clusters, if it has no fence in this one."""
    if reset.was is not None or reset.partition.topic not in {each.topic for each in elsewhere}:
        return reset
    return replace(reset, moved=True, applied_there=_time(elsewhere.get(reset.partition)))


async def apply_reset(consumer: Consumer, plan: ResetPlan) -> None:
    """Set the fences and record the operation, in one transaction."""
    async with acting(consumer.settings) as engine, engine.begin() as transaction:
        for each in plan.resets:
            await _set_fence(transaction, consumer.tables, plan.cluster_id, each)
        detail = json.dumps([each.as_json() for each in plan.resets])
        await record_operation(
            transaction, consumer.tables, operator_name(), "offsets reset", detail
        )


async def _set_fence(
    transaction: AsyncConnection, tables: RuntimeTables, cluster_id: str, reset: Reset
) -> None:
    values: Mapping[str, object] = {
        "first_offset": reset.to,
        "next_offset": reset.to,
        "last_offset": None,
        "last_timestamp": None,
        "last_crc": None,
        "topic_id": reset.topic_id,
        **dict.fromkeys(COUNTS, 0),
        "updated_at": func.now(),
    }
    place = {
        "cluster_id": cluster_id,
        "topic": reset.partition.topic,
        "partition": reset.partition.number,
    }
    await transaction.execute(
        insert(tables.fence)
        .values({**place, **values})
        .on_conflict_do_update(index_elements=list(place), set_=values)
    )


async def _logs(consumer: Consumer, topic: str, number: int | None, to: str) -> Sequence[Reset]:
    asking = _client(consumer)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await asking.start()
            if topic not in await asking.topics():
                await require_shown(asking, topic, ASK_SECONDS)
                # A client that is given the name of a missing topic waits for it.
                message = f"the broker has no topic {topic}"
                raise ResetRefused(message)
    finally:
        await asking.stop()
    client = _client(consumer, topic)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await client.start()
            partitions = _partitions(client, topic, number)
            begin = await client.beginning_offsets(partitions)
            end = await client.end_offsets(partitions)
            targets = {tp: _target(to, begin[tp], end[tp], tp) for tp in partitions}
            topic_id = (await describe(client, [topic], ASK_SECONDS))[topic].topic_id
            return [
                Reset(
                    Partition(tp.topic, tp.partition),
                    None,
                    targets[tp],
                    begin[tp],
                    end[tp],
                    await _written_at(client, tp, targets[tp], end[tp]),
                    topic_id,
                )
                for tp in partitions
            ]
    finally:
        await client.stop()


def _client(consumer: Consumer, *topics: str) -> AIOKafkaConsumer:
    return make_consumer(
        consumer.settings.kafka,
        *topics,
        request_timeout_ms=int(ASK_SECONDS * 1000),
        auto_offset_reset="none",
    )


def _partitions(
    client: AIOKafkaConsumer, topic: str, number: int | None
) -> Sequence[TopicPartition]:
    there: Iterable[TopicPartition] = client.assignment()
    wanted = sorted(tp for tp in there if number in {None, tp.partition})
    if not wanted:
        message = f"the broker has no {topic}-{number}"
        raise ResetRefused(message)
    return wanted


def _target(to: str, begin: int, end: int, tp: TopicPartition) -> int:
    if to == "earliest":
        return begin
    if to == "latest":
        return end
    if not begin <= int(to) <= end:
        message = f"{tp.topic}-{tp.partition} holds {begin} to {end}, and not {to}"
        raise ResetRefused(message)
    return int(to)


async def _written_at(
    client: AIOKafkaConsumer, tp: TopicPartition, offset: int, end: int
) -> datetime | None:
    """Return when the first record at or after an offset was written, or None if unknown."""
    if offset >= end:
        return None
    found = (await reread_records(client, tp, offset, 1)).records
    return _time(found[0].timestamp) if found else None


def _time(timestamp: int | None) -> datetime | None:
    if timestamp in {None, NO_TIMESTAMP}:
        return None
    return datetime.fromtimestamp(timestamp / 1000, UTC)
