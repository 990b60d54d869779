"""Fetches raw record batches, independently of the consumer and its position."""

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

from router.broker.adapter.private import KafkaClient, ask, leader_of
from router.broker.adapter.requests import READ_COMMITTED
from router.broker.topics.ids import describe

WAIT_MILLISECONDS: Final = 500
"""How long the broker waits for a record at the end of the log."""

_THROTTLED_SECONDS: Final = 0.1
"""Pause after an answer left empty by a quota. The broker delays the next answer itself."""

ONE_BATCH: Final = 1
"""Bytes to request if one batch is enough: the broker returns the first batch complete."""

_MOVED: Final = (NotLeaderForPartitionError, UnknownTopicOrPartitionError, NodeNotReadyError)


@dataclass(frozen=True)
class RawRecords:
    """Answer to a fetch at one offset."""

    data: bytes
    """Batches, of which the first is complete; empty at the last stable offset."""
    aborted: Sequence[tuple[int, int]]
    """Aborted transactions in `data`: producer id and first offset of each."""
    stable: int
    """The last stable offset: a read_committed reader can read no further."""


async def fetch_raw(
    client: KafkaClient,
    partition: TopicPartition,
    offset: int,
    *,
    asked_bytes: int,
    seconds: float,
    isolation: int = READ_COMMITTED,
) -> RawRecords:
    """Fetch batches up to the last stable offset, starting with the one that contains `offset`.

    With READ_UNCOMMITTED, it fetches up to the end of the log. If a quota leaves the
    answer empty, the request is repeated. Raises OffsetOutOfRangeError if `offset` is
    outside the log, any other KafkaError, or TimeoutError.
    """
    places = [(partition.topic, [(partition.partition, offset, asked_bytes)])]
    wanted = FetchRequest(WAIT_MILLISECONDS, 1, asked_bytes, isolation, places)
    async with asyncio.timeout(seconds):
        leader = leader_of(client, partition)
        if leader is not None:
            try:
                return await _fetched(client, leader, wanted, seconds)
            except _MOVED:
                # The client's metadata is out of date: ask for the current leader.
                pass
        leader = await _leader(client, partition, seconds)
        return await _fetched(client, leader, wanted, seconds)


async def _leader(client: KafkaClient, partition: TopicPartition, seconds: float) -> int:
    topic = (await describe(client, [partition.topic], seconds))[partition.topic]
    seen = topic.partitions.get(partition.partition)
    where = f"{partition.topic} partition {partition.partition}"
    if seen is None:
        raise UnknownTopicOrPartitionError(where)
    if seen.leader is None:
        raise LeaderNotAvailableError(where)
    return seen.leader


async def _fetched(
    client: KafkaClient, leader: int, wanted: FetchRequest, seconds: float
) -> RawRecords:
    while True:
        answer = await ask(client, wanted, node=leader, seconds=seconds)
        if answer.topics or getattr(answer, "error_code", 0):
            return _raw(answer)
        # A client over its quota gets an answer without any topic, and has to wait.
        await asyncio.sleep(_THROTTLED_SECONDS)


def _raw(answer: Any) -> RawRecords:  # noqa: ANN401 - aiokafka is untyped
    if getattr(answer, "error_code", 0):
        raise for_code(answer.error_code)
    ((_, ((_, code, _, stable, *rest),)),) = answer.topics
    if code:
        raise for_code(code)
    # From version 5 of the answer on, the start of the log precedes the aborted transactions.
    aborted = rest[0] if len(rest) == 2 else rest[1]  # noqa: PLR2004
    return RawRecords(rest[-1] or b"", aborted or (), stable)
