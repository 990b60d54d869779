"""Reads the quarantine topic, read-only: its deliveries, and which of them were replayed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from router.broker.connection import KafkaConnection
from router.broker.topic_reader import opened_topic
from router.contract.quarantine import Quarantined, Replayed
from router.contract.wire import ReaderOutdated, UndecodableRecord, decode_quarantine
from router.quarantine.kept_topic import KeptFilter, KeptRecord, ReadProgress, read_topic

Wanted = Callable[[Quarantined], bool]
"""Selects deliveries on quarantine."""

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


@dataclass(frozen=True)
class NewestEntries:
    """The entries found in the newest records; `older` if there are records before them."""

    found: QuarantineEntries
    older: bool


async def read_quarantine(
    kafka: KafkaConnection, topic: str, wanted: KeptFilter, progress: ReadProgress
) -> QuarantineEntries:
    """Read the topic from the beginning (or from `since`) to its end at the time of the call."""
    return entries_of(await read_topic(kafka, topic, wanted.since, progress), wanted)


async def read_newest(
    kafka: KafkaConnection, topic: str, wanted: Wanted, newest: int
) -> NewestEntries:
    """Read that many of the newest records of each partition; keep in memory what matches only.

    Raises TopicMissing.
    """
    gathered = _Gathered(wanted)
    async with opened_topic(kafka, topic) as reader:
        first = reader.newest(newest)
        async for fetched in reader.fetched(first):
            for record in fetched:
                gathered.add(record.value, record.headers)
        older = any(offset > reader.begin[part] for part, offset in first.items())
    return NewestEntries(gathered.result(), older)


def entries_of(records: Iterable[KeptRecord], wanted: KeptFilter) -> QuarantineEntries:
    """Merge records, in their order, into one entry for each delivery."""
    gathered = _Gathered(wanted.fits)
    for value, headers in records:
        gathered.add(value, headers)
    return gathered.result()


@dataclass
class _Gathered:
    """Entries of the records so far."""

    wanted: Wanted
    entries: dict[UUID, QuarantineEntry] = field(default_factory=dict)
    replays: dict[UUID, Replayed] = field(default_factory=dict)
    unreadable: int = 0

    def add(self, value: bytes | None, headers: Any) -> None:  # noqa: ANN401 - aiokafka's
        """Add a record."""
        try:
            record = decode_quarantine(value, headers)
        except (UndecodableRecord, ReaderOutdated):
            self.unreadable += 1
            return
        if isinstance(record, Replayed):
            self.replays[record.quarantined] = record
        elif self.wanted(record):
            entry = self.entries.get(record.id)
            self.entries[record.id] = (
                QuarantineEntry(record) if entry is None else _with_record(entry, record)
            )

    def result(self) -> QuarantineEntries:
        """Return the entries, oldest first."""
        found = [
            replace(entry, replayed=self.replays.get(entry.kept.id))
            for entry in self.entries.values()
        ]
        return QuarantineEntries(
            sorted(found, key=lambda entry: entry.kept.received_at), self.unreadable
        )


def _with_record(entry: QuarantineEntry, kept: Quarantined) -> QuarantineEntry:
    known = [each.raw for each in (entry.kept, *entry.others)]
    others = entry.others if kept.raw in known else (*entry.others, kept)[-_OTHERS:]
    return replace(entry, times=entry.times + 1, others=others)


def _replay_json(replayed: Replayed) -> dict[str, Any]:
    return replayed.model_dump(mode="json", include={"at", "by", "events"})
