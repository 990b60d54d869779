"""Reads where logs start and end, and up to which offset a read_committed reader can read.

An open transaction stops such readers at its first record (the last stable
offset) while the log keeps growing.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from router.broker.adapter.private import KafkaClient, ask
from router.broker.adapter.requests import (
    EARLIEST,
    LATEST,
    READ_COMMITTED,
    READ_UNCOMMITTED,
    offsets_request,
)
from router.broker.topics.ids import describe

_REQUESTS = ((READ_UNCOMMITTED, EARLIEST), (READ_UNCOMMITTED, LATEST), (READ_COMMITTED, LATEST))
"""Requests in this order: a log only grows, so a record written between two of them does not count
as withheld."""


@dataclass(frozen=True)
class LogBounds:
    """Offsets of one log."""

    start: int
    stable: int
    """The last stable offset: a read_committed reader gets no record at or after it."""
    end: int
    """The high watermark: the offset of the next record."""


async def log_bounds(
    client: KafkaClient, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[TopicPartition, LogBounds]:
    """Ask each partition's leader; leave out partitions whose leader does not answer in time.

    Sends one request to find the leaders, then three to each leader. Raises
    KafkaError or TimeoutError if the leaders cannot be found.
    """
    leaders = await _leaders(client, partitions, seconds)
    answers = await asyncio.gather(
        *(_of_leader(client, node, mine, seconds) for node, mine in leaders.items())
    )
    return {partition: bounds for answer in answers for partition, bounds in answer.items()}


async def _leaders(
    client: KafkaClient, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[int, list[TopicPartition]]:
    topics = await describe(client, {partition.topic for partition in partitions}, seconds)
    leaders: dict[int, list[TopicPartition]] = {}
    for partition in partitions:
        seen = topics[partition.topic].partitions.get(partition.partition)
        if seen is not None and seen.leader is not None:
            leaders.setdefault(seen.leader, []).append(partition)
    return leaders


async def _of_leader(
    client: KafkaClient, node: int, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[TopicPartition, LogBounds]:
    wanted: dict[str, list[int]] = {}
    for partition in partitions:
        wanted.setdefault(partition.topic, []).append(partition.partition)
    try:
        async with asyncio.timeout(seconds):
            start, end, stable = [
                _offsets(
                    await ask(client, offsets_request(wanted, *how), node=node, seconds=seconds)
                )
                for how in _REQUESTS
            ]
    except (KafkaError, TimeoutError):
        # Left out: the caller sees which partitions are missing.
        return {}
    known = start.keys() & stable.keys() & end.keys()
    return {each: _bounds(start[each], stable[each], end[each]) for each in known}


def _bounds(start: int, stable: int, end: int) -> LogBounds:
    # The stable offset is requested last, so it may already be past the requested end.
    return LogBounds(start, min(stable, end), end)


def _offsets(answer: Any) -> Mapping[TopicPartition, int]:  # noqa: ANN401 - aiokafka is untyped
    return {
        TopicPartition(topic, number): offset
        for topic, partitions in answer.topics
        for number, code, _moment, offset in partitions
        if code == 0 and offset >= 0
    }
