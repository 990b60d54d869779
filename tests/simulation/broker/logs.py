"""Partition logs, and all that was ever in them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from consumers.runtime.records import Partition, Record
from router.broker.log.bounds import LogBounds
from router.broker.topics.ids import PartitionSeen, TopicSeen

Headers = Sequence[tuple[str, bytes | None]]


class EntryKind(StrEnum):
    """What is at an offset."""

    RECORD = "record"
    MARKER = "marker of a transaction"
    ABORTED = "record of an aborted transaction"
    DAMAGED = "record with a wrong checksum"


@dataclass(frozen=True)
class Entry:
    """One offset of a log; named like a record of the client, which it replaces."""

    offset: int
    timestamp: int
    kind: EntryKind
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    order: int = 0
    """Place among all entries that were ever appended."""

    @property
    def is_shown(self) -> bool:
        """Whether a reader of committed records gets it, or an error about it."""
        return self.kind in {EntryKind.RECORD, EntryKind.DAMAGED}

    def as_record(self, partition: Partition) -> Record:
        """Return the record of the runtime."""
        return Record(
            partition, self.offset, self.timestamp, self.key, self.value, tuple(self.headers)
        )


LogId = tuple[UUID, Partition]


@dataclass
class Log:
    """One partition of one topic; `entries` lacks those that were deleted."""

    epoch: int = 0
    start: int = 0
    end: int = 0
    entries: dict[int, Entry] = field(default_factory=dict)
    history: dict[int, list[Entry]] = field(default_factory=dict)
    """Every entry that was ever at an offset."""

    def append(
        self, timestamp: int, kind: EntryKind, key: bytes | None, value: bytes, order: int = 0
    ) -> Entry:
        """Append an entry."""
        entry = Entry(self.end, timestamp, kind, key, value, order=order)
        self.entries[self.end] = entry
        self.history.setdefault(self.end, []).append(entry)
        self.end += 1
        return entry

    def truncate(self, end: int) -> None:
        """Cut off the end: a new leader lacks it."""
        self.epoch += 1
        for offset in range(end, self.end):
            self.entries.pop(offset, None)
        self.end = min(self.end, max(end, self.start))

    def delete_before(self, start: int) -> None:
        """Delete the beginning: its retention is over."""
        self.start = max(self.start, min(start, self.end))
        for offset in [each for each in self.entries if each < self.start]:
            del self.entries[offset]

    def compact(self, offset: int) -> None:
        """Delete one entry in the middle."""
        self.entries.pop(offset, None)

    def bounds(self) -> LogBounds:
        """Return where it begins and ends."""
        return LogBounds(self.start, self.end, self.end)

    def explains(self, offset: int) -> bool:
        """Return whether an offset has no record for a reason that the log shows."""
        entry = self.entries.get(offset)
        return entry is not None and not entry.is_shown


@dataclass
class Topic:
    """One topic: its id changes if it is deleted and created again."""

    topic_id: UUID
    logs: dict[int, Log]

    def seen(self, name: str) -> TopicSeen:
        """Return its description."""
        parts = {
            number: PartitionSeen(1, log.epoch, frozenset({1}), frozenset({1}))
            for number, log in self.logs.items()
        }
        return TopicSeen(name, self.topic_id, None, parts, None)


@dataclass
class ModelBroker:
    """All topics, what was published, and whether anybody can be reached."""

    topics: dict[str, Topic] = field(default_factory=dict)
    old: dict[LogId, Log] = field(default_factory=dict)
    """Logs of all topics that ever existed."""
    sent: dict[str, list[Entry]] = field(default_factory=dict)
    """Records that consumers published, by topic."""
    appended: int = 0
    is_away: bool = False
    acknowledgements_lost: int = 0
    """How many of the next batches of the relay are appended, but not acknowledged."""
    batches_refused: int = 0
    """How many of the next batches of the relay are not appended, for a reason that passes."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def create(self, name: str, topic_id: UUID, partitions: int) -> None:
        """Create a topic, or create it again."""
        self.topics[name] = Topic(topic_id, {number: Log() for number in range(partitions)})
        for number, log in self.topics[name].logs.items():
            self.old[topic_id, Partition(name, number)] = log

    def log(self, partition: Partition) -> Log:
        """Return the log of a partition."""
        return self.topics[partition.topic].logs[partition.number]

    def partitions(self) -> list[Partition]:
        """Return all partitions of the topics that are consumed."""
        names = sorted(self.topics)
        return [Partition(name, number) for name in names for number in self.topics[name].logs]

    def append(
        self, partition: Partition, timestamp: int, kind: EntryKind, key: bytes | None, value: bytes
    ) -> Entry:
        """Append an entry, and wake the readers that wait."""
        self.appended += 1
        entry = self.log(partition).append(timestamp, kind, key, value, self.appended)
        self.news.set()
        self.news = asyncio.Event()
        return entry

    def describe(self) -> Mapping[str, TopicSeen]:
        """Return the descriptions of all topics."""
        return {name: topic.seen(name) for name, topic in self.topics.items()}
