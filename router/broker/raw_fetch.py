"""Fetches a log's bytes as the broker keeps them, past aiokafka's consumer and its position."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import (
    LeaderNotAvailableError,
    NodeNotReadyError,
    NotLeaderForPartitionError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest

from router.broker.batches import heads
from router.broker.private import Asker, ask, leader_of
from router.broker.requests import READ_COMMITTED
from router.broker.topic_ids import describe

WAIT_MILLISECONDS: Final = 500
"""How long the broker waits for a first record where the log ends."""

ONE_BATCH: Final = 1
"""Bytes to ask for where one batch will do: the first one is given whole, however large it is."""

_MOVED: Final = (NotLeaderForPartitionError, UnknownTopicOrPartitionError, NodeNotReadyError)


@dataclass(frozen=True)
class RawRecords:
    """Answer to a fetch at one offset."""

    data: bytes
    """Batches, the first one whole; none where a committed reader can read no further."""
    aborted: Sequence[tuple[int, int]]
    """Aborted transactions among them: producer id, and the first offset it wrote to."""
    stable: int
    """The last stable offset: where a committed reader can read no further."""
    throttled: bool = False
    """Whether a quota kept the broker from answering with data."""


async def fetch_raw(
    asker: Asker, partition: TopicPartition, offset: int, *, asked_bytes: int, seconds: float
) -> RawRecords:
    """Fetch from the batch on that holds `offset`, of what is committed or aborted.

    Raises OffsetOutOfRangeError if the log does not reach there, any other
    KafkaError, or TimeoutError.
    """
    async with asyncio.timeout(seconds):
        leader = leader_of(asker, partition)
        if leader is not None:
            try:
                return await _fetched(asker, leader, partition, offset, asked_bytes, seconds)
            except _MOVED:
                # What the client remembers is out of date: ask who leads it now.
                pass
        leader = await _leader(asker, partition, seconds)
        return await _fetched(asker, leader, partition, offset, asked_bytes, seconds)


async def epoch_at(
    asker: Asker, partition: TopicPartition, offset: int, seconds: float
) -> int | None:
    """Return the leader epoch of the batch that holds an offset; None if no batch does.

    Where the same offset had a later one before, the log went back: it lost
    records, and others may stand in their place. Raises KafkaError
    (OffsetOutOfRangeError if the log does not reach there) or TimeoutError.
    """
    raw = await fetch_raw(asker, partition, offset, asked_bytes=ONE_BATCH, seconds=seconds)
    for head in heads(raw.data):
        if head.base_offset <= offset <= head.last_offset and head.leader_epoch >= 0:
            return head.leader_epoch
    return None


async def _leader(asker: Asker, partition: TopicPartition, seconds: float) -> int:
    topic = (await describe(asker, [partition.topic], seconds))[partition.topic]
    seen = topic.partitions.get(partition.partition)
    where = f"{partition.topic} partition {partition.partition}"
    if seen is None:
        raise UnknownTopicOrPartitionError(where)
    if seen.leader is None:
        raise LeaderNotAvailableError(where)
    return seen.leader


async def _fetched(
    asker: Asker,
    leader: int,
    partition: TopicPartition,
    offset: int,
    asked_bytes: int,
    seconds: float,
) -> RawRecords:
    wanted = [(partition.topic, [(partition.partition, offset, asked_bytes)])]
    request = FetchRequest(WAIT_MILLISECONDS, 1, asked_bytes, READ_COMMITTED, wanted)
    answer = await ask(asker, request, node=leader, seconds=seconds)
    return _raw(answer)


def _raw(answer: Any) -> RawRecords:  # noqa: ANN401 - aiokafka is untyped
    if getattr(answer, "error_code", 0):
        raise for_code(answer.error_code)
    ((_, ((_, code, _, stable, *rest),)),) = answer.topics
    if code:
        raise for_code(code)
    # Since version 5 of the answer, the start of the log stands before the aborted ones.
    aborted = rest[0] if len(rest) == 2 else rest[1]  # noqa: PLR2004
    throttled = getattr(answer, "throttle_time_ms", 0) > 0
    return RawRecords(rest[-1] or b"", aborted or (), stable, throttled)
