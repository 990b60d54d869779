"""What the spool holds and what may be published next. No I/O, no clock, no threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from router.contract.wire import OutgoingRecord
from router.edge.spool.record_life import AFTER, FINISHED, SpooledChange, SpooledState
from router.edge.spool.storage.codec import EntryPlace

RecordKey = tuple[str, bytes]
"""Topic and key: records that share both are published in the order of their arrival."""


class SpooledRecord:
    """One record of a delivery; `place` is None until it is on the disk."""

    __slots__ = ("arrived", "index", "key", "place", "state")

    def __init__(self, key: RecordKey, index: int, arrived: float) -> None:
        """Start on the way to the disk; `arrived` is in seconds of the caller's clock."""
        self.key = key
        self.index = index
        self.arrived = arrived
        self.place: EntryPlace | None = None
        self.state = SpooledState.ARRIVING

    def change(self, change: SpooledChange) -> SpooledState:
        """Take the next state and return it. Raises KeyError for an impossible change."""
        self.state = AFTER[self.state][change]
        return self.state


@dataclass
class _Segment:
    """Entries of a segment that are on the disk, and its records that are not finished."""

    entries: int = 0
    unfinished: int = 0


@dataclass
class SpoolBook:
    """All records of the spool, in order per key.

    The first record of a key may be published; the next one only once the first is published or
    set aside. `finished` receives a segment all of whose records are, and how many entries that
    were: a segment with more entries than that must not be removed.
    """

    finished: Callable[[str, int], None]
    _queues: dict[RecordKey, deque[SpooledRecord]] = field(default_factory=dict)
    _ready: dict[str, dict[RecordKey, None]] = field(default_factory=dict)
    _segments: dict[str, _Segment] = field(default_factory=dict)
    _by_topic: dict[str, int] = field(default_factory=dict)
    _all: dict[SpooledRecord, None] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of records that are not finished and can be read."""
        return len(self._all)

    def holds(self, key: RecordKey) -> bool:
        """Return whether a record of this key is in the spool or on its way to it."""
        return key in self._queues

    def waiting_for(self, topic: str) -> int:
        """Return how many records of a topic are in the spool or on their way to it."""
        return self._by_topic.get(topic, 0)

    def oldest(self) -> float | None:
        """Return when the record that has waited longest arrived, None without any."""
        return next((each.arrived for each in self._all), None)

    def arriving(self, records: Iterable[OutgoingRecord], arrived: float) -> list[SpooledRecord]:
        """Take the places of a delivery's records, behind all others of their keys."""
        taken = [
            SpooledRecord((record.topic, record.key), index, arrived)
            for index, record in enumerate(records)
        ]
        for each in taken:
            self._queues.setdefault(each.key, deque()).append(each)
            self._by_topic[each.key[0]] = self.waiting_for(each.key[0]) + 1
            self._all[each] = None
        return taken

    def stored(
        self, records: Sequence[SpooledRecord], place: EntryPlace, done: Iterable[int] = ()
    ) -> None:
        """Record that a delivery is on the disk; those with an index in `done` are finished."""
        segment = self._segments.setdefault(place.segment, _Segment())
        segment.entries += 1
        segment.unfinished += len(records)
        finished = set(done)
        for each in records:
            each.place = place
            each.change(SpooledChange.STORED)
        for each in records:
            if each.index in finished:
                each.change(SpooledChange.SENT)
                self._finish(each, SpooledChange.ACKNOWLEDGED)
            else:
                self._offer(each.key)

    def lost(self, records: Iterable[SpooledRecord]) -> None:
        """Forget a delivery that could not be written."""
        for each in records:
            each.change(SpooledChange.DISK_FAILED)
            self._remove(each)

    def take(self, most: int, open_topic: Callable[[str], bool]) -> list[SpooledRecord]:
        """Return records to publish now, at most one of each key, of topics that are open."""
        taken: list[SpooledRecord] = []
        for topic, keys in self._ready.items():
            if not open_topic(topic):
                continue
            chosen = [key for key, _ in zip(keys, range(most - len(taken)), strict=False)]
            for key in chosen:
                del keys[key]
                taken.append(self._queues[key][0])
        for each in taken:
            each.change(SpooledChange.SENT)
        return taken

    def published(self, record: SpooledRecord) -> None:
        """Record an acknowledgement: the next record of its key may follow."""
        self._finish(record, SpooledChange.ACKNOWLEDGED)

    def not_acknowledged(self, record: SpooledRecord, *, at_once: bool) -> None:
        """Put a record back; it is offered again `at_once`, or once `offer_again` is called."""
        record.change(SpooledChange.NOT_ACKNOWLEDGED)
        if at_once:
            self._offer(record.key)

    def offer_again(self, record: SpooledRecord) -> None:
        """Offer a record that was put back before."""
        if record.state is SpooledState.WAITING:
            self._offer(record.key)

    def refused(self, record: SpooledRecord) -> None:
        """Record that the broker refuses a record for good; its key waits until it is aside."""
        record.change(SpooledChange.REFUSED)

    def set_aside(self, record: SpooledRecord) -> None:
        """Record that a refused record is durable in its own file."""
        self._finish(record, SpooledChange.STORED)

    def not_set_aside(self, record: SpooledRecord) -> None:
        """Put back a refused record whose own file could not be written."""
        record.change(SpooledChange.DISK_FAILED)

    def damaged(self, record: SpooledRecord) -> None:
        """Stop to wait for a record that can no longer be read; its segment is never finished."""
        record.change(SpooledChange.DAMAGED)
        self._remove(record)

    def segments(self) -> Iterator[str]:
        """Yield the segments with a record that is not finished."""
        return (path for path, segment in self._segments.items() if segment.unfinished)

    def _finish(self, record: SpooledRecord, change: SpooledChange) -> None:
        state = record.change(change)
        assert state in FINISHED  # noqa: S101 - callers choose the change
        assert record.place is not None  # noqa: S101 - it was on the disk
        path = record.place.segment
        segment = self._segments[path]
        segment.unfinished -= 1
        self._remove(record)
        if not segment.unfinished:
            self.finished(path, segment.entries)

    def _remove(self, record: SpooledRecord) -> None:
        queue = self._queues[record.key]
        queue.remove(record)
        self._all.pop(record, None)
        left = self._by_topic[record.key[0]] = self._by_topic[record.key[0]] - 1
        if not left:
            del self._by_topic[record.key[0]]
        if queue:
            self._offer(record.key)
        else:
            del self._queues[record.key]
            self._ready.get(record.key[0], {}).pop(record.key, None)

    def _offer(self, key: RecordKey) -> None:
        """Let the first record of a key be published, if it waits for that."""
        if self._queues[key][0].state is SpooledState.WAITING:
            self._ready.setdefault(key[0], {})[key] = None
