"""Reads one stored delivery by its place on the broker."""

from dataclasses import dataclass, replace

from aiokafka import TopicPartition

from consumers.console.pages.deliveries.seen import (
    DeliveryOutcome,
    Kept,
    RecordPlace,
    SeenDelivery,
    decoded,
    outcomes_of,
    seen,
)
from router.broker.connection import KafkaConnection
from router.broker.topic_reader import TopicReader, opened_topics
from router.contract.quarantine import Replayed
from router.contract.topics import Topics

NOTES_READ = 5_000
"""Most records after a delivery on quarantine that are searched for the note of its replay."""

_FETCH_BYTES = 256 * 1024


@dataclass(frozen=True)
class StoredDelivery:
    """A stored delivery; `notes_unread` if a note of its replay may not have been read."""

    row: SeenDelivery
    kept: Kept
    notes_unread: bool = False


async def read_delivery(
    kafka: KafkaConnection, topics: Topics, place: RecordPlace
) -> StoredDelivery | None:
    """Return the delivery at a place, None if there is none: it never was, or was deleted.

    Raises KafkaError or TimeoutError if the broker does not answer.
    """
    outcome = outcomes_of(topics).get(place.topic)
    if outcome is None:
        return None
    async with opened_topics(
        kafka, [place.topic], max_partition_fetch_bytes=_FETCH_BYTES
    ) as reader:
        part = TopicPartition(place.topic, place.partition)
        if not reader.begin.get(part, 0) <= place.offset < reader.end.get(part, 0):
            return None
        found = await _at(reader, part, place.offset, outcome)
        if found is None or found.row.outcome is not DeliveryOutcome.QUARANTINED:
            return found
        return await _with_replay(reader, part, found)


async def _at(
    reader: TopicReader, part: TopicPartition, offset: int, outcome: DeliveryOutcome
) -> StoredDelivery | None:
    async for records in reader.until({part: offset + 1}).fetched({part: offset}):
        for record in records:
            kept = decoded(record, outcome)
            if kept is not None and not isinstance(kept, Replayed):
                return StoredDelivery(seen(record, kept), kept)
    return None


async def _with_replay(
    reader: TopicReader, part: TopicPartition, found: StoredDelivery
) -> StoredDelivery:
    """Search the records after a delivery for the newest note of its replay."""
    first, end = found.row.place.offset + 1, reader.end[part]
    row = found.row
    async for records in reader.until({part: first + NOTES_READ}).fetched({part: first}):
        for record in records:
            note = decoded(record, DeliveryOutcome.QUARANTINED)
            if isinstance(note, Replayed) and note.quarantined == row.id:
                row = replace(row, replayed=note)
    return replace(found, row=row, notes_unread=end > first + NOTES_READ)
