"""Reads a topic of kept deliveries, quarantine or refused, without a group and changing nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from router.broker.adapter.private import await_partitions
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

_FETCH_MILLISECONDS = 500
_QUIET_FETCHES = 60
"""Fetches without a record, though the end is not reached, after which the broker is given up."""

Progress = Callable[[int, int], None]
"""Told how many records of how many were read."""

Record = tuple[bytes | None, Any]
"""Value and headers of a record."""


class TopicMissing(Exception):  # noqa: N818 - reads as what happened
    """The broker has no such topic; the message names it and the command that makes it."""


@dataclass(frozen=True)
class Wanted:
    """Which deliveries are asked for; None and nothing ask for all."""

    ids: Sequence[str] = ()
    reason: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    since: datetime | None = None
    source: str | None = None

    def of_source(self, source: str | None) -> "Wanted":
        """Return the same, sent from this address."""
        return replace(self, source=source)

    def fits(self, kept: Quarantined | Refused) -> bool:
        """Tell whether it is one of them; an id may be given by its beginning."""
        pairs = (
            (self.reason, kept.reason),
            (self.provider, kept.provider),
            (self.endpoint, kept.endpoint),
            (self.source, kept.source if isinstance(kept, Refused) else None),
        )
        named = not self.ids or any(str(kept.id).startswith(each.lower()) for each in self.ids)
        young = self.since is None or kept.received_at >= self.since
        return named and young and all(want in {None, has} for want, has in pairs)


async def read_topic(
    options: dict[str, Any], topic: str, since: datetime | None, progress: Progress
) -> Sequence[Record]:
    """Read a topic from its beginning, or from `since`, to its end at the time of the call.

    Raises TopicMissing; the read never makes the broker create the topic.
    """
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False)
    try:
        await consumer.start()
        if topic not in await consumer.topics():
            message = f"the broker has no topic {topic}: run `payrouter topics apply`"
            raise TopicMissing(message)
        parts = await _positioned(consumer, topic, since)
        ends = await consumer.end_offsets(parts)
        return await _values(consumer, ends, progress)
    finally:
        await consumer.stop()


async def _positioned(
    consumer: AIOKafkaConsumer, topic: str, since: datetime | None
) -> Sequence[TopicPartition]:
    await await_partitions(consumer, topic)
    numbers = consumer.partitions_for_topic(topic) or set()
    parts = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(parts)
    if since is None:
        await consumer.seek_to_beginning(*parts)
        return parts
    moment = int(since.timestamp() * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(parts, moment))
    begin = await consumer.beginning_offsets(parts)
    for part in parts:
        # No place: nothing is younger, or the broker (that of `dev`) does not look by time.
        place = found.get(part)
        consumer.seek(part, begin[part] if place is None else place.offset)
    return parts


async def _values(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], progress: Progress
) -> Sequence[Record]:
    places = {part: await consumer.position(part) for part in ends}
    total = sum(max(ends[part] - places[part], 0) for part in ends)
    records: list[Record] = []
    done, quiet = 0, 0
    while any(places[part] < ends[part] for part in ends):
        batches = await consumer.getmany(timeout_ms=_FETCH_MILLISECONDS)
        for part, batch in batches.items():
            kept = [record for record in batch if record.offset < ends[part]]
            records += [(record.value, record.headers) for record in kept]
            done += len(kept)
        quiet = 0 if batches else quiet + 1
        if quiet > _QUIET_FETCHES:
            raise TimeoutError
        places = {part: await consumer.position(part) for part in ends}
        progress(done, total)
    return records
