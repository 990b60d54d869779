"""Reads the quarantine topic, read-only: its deliveries, and which of them were replayed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from router.broker.connection import KafkaConnection
from router.contract.quarantine import Quarantined, Replayed
from router.contract.wire import ReaderOutdated, UndecodableRecord, decode_quarantine
from router.quarantine.kept_topic import KeptFilter, KeptRecord, ReadProgress, read_topic

_OTHERS = 64
"""Most forms of one delivery that are stored besides the first; the newest are used."""


@dataclass(frozen=True)
class QuarantineEntry:
    """A delivery on quarantine: its first record, the number of records, the last replay.

    `others` are deliveries of the same signed body with other unsigned headers,
    which may decide what it means.
    """

    kept: Quarantined
    times: int = 1
    replayed: Replayed | None = None
    others: Sequence[Quarantined] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object, without the delivery itself."""
        document = self.kept.model_dump(mode="json", exclude={"raw", "verification"})
        document["times"] = self.times
        document["replayed"] = None if self.replayed is None else _replay_json(self.replayed)
        return document


@dataclass(frozen=True)
class QuarantineEntries:
    """The entries found, oldest first, and the number of records that could not be read."""

    entries: Sequence[QuarantineEntry]
    unreadable: int


async def read_quarantine(
    kafka: KafkaConnection, topic: str, wanted: KeptFilter, progress: ReadProgress
) -> QuarantineEntries:
    """Read the topic from the beginning (or from `since`) to its end at the time of the call."""
    return entries_of(await read_topic(kafka, topic, wanted.since, progress), wanted)


def entries_of(records: Iterable[KeptRecord], wanted: KeptFilter) -> QuarantineEntries:
    """Merge records, in their order, into one entry for each delivery."""
    entries: dict[object, QuarantineEntry] = {}
    replays: dict[object, Replayed] = {}
    unreadable = 0
    for value, headers in records:
        try:
            record = decode_quarantine(value, headers)
        except (UndecodableRecord, ReaderOutdated):
            unreadable += 1
            continue
        if isinstance(record, Replayed):
            replays[record.quarantined] = record
        elif wanted.fits(record):
            entry = entries.get(record.id)
            entries[record.id] = (
                QuarantineEntry(record) if entry is None else _with_record(entry, record)
            )
    found = [replace(entry, replayed=replays.get(entry.kept.id)) for entry in entries.values()]
    return QuarantineEntries(sorted(found, key=lambda entry: entry.kept.received_at), unreadable)


def _with_record(entry: QuarantineEntry, kept: Quarantined) -> QuarantineEntry:
    known = [each.raw for each in (entry.kept, *entry.others)]
    others = entry.others if kept.raw in known else (*entry.others, kept)[-_OTHERS:]
    return replace(entry, times=entry.times + 1, others=others)


def _replay_json(replayed: Replayed) -> dict[str, Any]:
    return replayed.model_dump(mode="json", include={"at", "by", "events"})
