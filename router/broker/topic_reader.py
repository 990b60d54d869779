"""Reads the records of topics, without a group and without changing anything."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from router.broker.adapter.private import await_partitions
from router.broker.client import make_consumer
from router.broker.connection import KafkaConnection
from router.broker.topics.ids import require_shown

Offsets = Mapping[TopicPartition, int]

_FETCH_MILLISECONDS = 500
_ASK_SECONDS = 10.0
_QUIET_FETCHES = 60
"""Fetches in a row without a record after which the broker counts as silent."""


class TopicMissing(Exception):  # noqa: N818 - reads as what happened
    """The broker has no such topic; the message names it and the command that creates it."""


@dataclass(frozen=True)
class TopicReader:
    """The records of topics, up to where each partition ended when they were opened.

    `missing` are the topics that the broker does not have.
    """

    consumer: AIOKafkaConsumer
    begin: Offsets
    end: Offsets
    missing: Sequence[str] = ()

    def until(self, end: Offsets) -> "TopicReader":
        """Return a reader that ends before these offsets, or where this one does."""
        ends = {part: min(end.get(part, own), own) for part, own in self.end.items()}
        return replace(self, end=ends)

    def newest(self, most: int) -> Offsets:
        """Return where the newest records of each partition begin, at most so many."""
        return {part: max(self.begin[part], end - most) for part, end in self.end.items()}

    async def since(self, moment: datetime | None) -> Offsets:
        """Return where the records of a moment and later begin; None is the beginning."""
        if moment is None:
            return self.begin
        milliseconds = int(moment.timestamp() * 1000)
        found = await self.consumer.offsets_for_times(dict.fromkeys(self.end, milliseconds))
        # Not found: every record is older, or the broker (that of `dev`) has no index of times.
        return {
            part: begin if found.get(part) is None else found[part].offset
            for part, begin in self.begin.items()
        }

    async def fetched(self, first: Offsets) -> AsyncIterator[Sequence[Any]]:
        """Yield the records from these offsets on, one fetch at a time; a fetch may be empty.

        Raises TimeoutError if the broker sends nothing for a long time.
        """
        left = {part for part in first if first[part] < self.end[part]}
        # The partitions of an earlier read may still be paused, or its last ones not.
        self.consumer.pause(*self.begin)
        self.consumer.resume(*left)
        for part in left:
            self.consumer.seek(part, first[part])
        quiet = 0
        while left:
            batches = await self.consumer.getmany(*left, timeout_ms=_FETCH_MILLISECONDS)
            quiet = 0 if batches else quiet + 1
            if quiet > _QUIET_FETCHES:
                raise TimeoutError
            yield [
                record
                for part, batch in batches.items()
                for record in batch
                if record.offset < self.end[part]
            ]
            # By position, not by record: the last offsets may hold a marker and no record.
            left = {part for part in left if await self.consumer.position(part) < self.end[part]}


@asynccontextmanager
async def opened_topic(
    kafka: KafkaConnection,
    topic: str,
    **options: Any,  # noqa: ANN401 - aiokafka's
) -> AsyncIterator[TopicReader]:
    """Open a topic for reading. Raises TopicMissing, or KafkaError if we may not see it.

    If retention deletes records that are not read yet, reading continues at the new beginning.
    """
    async with opened_topics(kafka, [topic], **options) as reader:
        if reader.missing:
            message = f"the broker has no topic {topic}: run `payrouter topics apply`"
            raise TopicMissing(message)
        yield reader


@asynccontextmanager
async def opened_topics(
    kafka: KafkaConnection,
    topics: Sequence[str],
    **options: Any,  # noqa: ANN401 - aiokafka's
) -> AsyncIterator[TopicReader]:
    """Open those of several topics that exist. Raises KafkaError if we may not see one."""
    consumer = make_consumer(kafka, auto_offset_reset="earliest", **options)
    try:
        await consumer.start()
        # Requested by its name, a missing topic would be waited for.
        shown = await consumer.topics()
        missing = [topic for topic in topics if topic not in shown]
        for topic in missing:
            await require_shown(consumer, topic, _ASK_SECONDS)
        parts = [part for topic in topics if topic in shown for part in await _of(consumer, topic)]
        consumer.assign(parts)
        begin = await consumer.beginning_offsets(parts)
        yield TopicReader(consumer, begin, await consumer.end_offsets(parts), missing)
    finally:
        await consumer.stop()


async def _of(consumer: AIOKafkaConsumer, topic: str) -> Sequence[TopicPartition]:
    await await_partitions(consumer, topic)
    return [
        TopicPartition(topic, number)
        for number in sorted(consumer.partitions_for_topic(topic) or set())
    ]
