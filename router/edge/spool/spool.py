"""The spool of one process: stores deliveries, within its bounds, and reports its state."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from router.contract.wire import OutgoingRecord
from router.edge.spool.book import SpoolBook, SpooledRecord
from router.edge.spool.metrics import SpoolMetrics
from router.edge.spool.storage.codec import EntryPlace, RecordAside, SpoolEntry, encode_entry
from router.edge.spool.storage.jobs import AppendJob, AsideJob, DiskJob, MarkJob, RemoveJob
from router.telemetry.logs import Log

RETRY_SECONDS = 1.0
"""How long nothing is stored after the disk failed: deliveries are refused at once."""

StoreResult = Callable[[str | None], None]
"""Receives None once a delivery is durable, otherwise why it is not."""


@dataclass(frozen=True)
class SpoolBounds:
    """Most bytes on the disk, and seconds that the oldest record may wait."""

    most_bytes: int
    oldest_seconds: float


@dataclass
class Spool:
    """Records on the disk or on their way to it. Used by the event loop alone.

    `post` gives a job to the disk, `disk_bytes` returns what its files take. `now` is a monotonic
    clock and `wall` Unix time, both in seconds.
    """

    post: Callable[[DiskJob], None]
    disk_bytes: Callable[[], int]
    bounds: SpoolBounds
    metrics: SpoolMetrics
    log: Log
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    wake: Callable[[], None] = lambda: None
    """Called when there may be something to publish."""
    foreign: str | None = None
    """Id of another cluster that the records are for: then nothing is stored."""
    done: int = 0
    """Records published or set aside since the start."""
    _arriving_bytes: int = 0
    _failed_at: float | None = None
    _failure: str = ""
    book: SpoolBook = field(init=False)

    def __post_init__(self) -> None:
        """Start empty."""
        self.book = SpoolBook(self._finished)

    def problem(self) -> str | None:
        """Return why nothing can be stored now, None if it can."""
        if self.foreign is not None:
            return f"the spool's records are for cluster {self.foreign}"
        if self._failed_at is not None and self.now() - self._failed_at < RETRY_SECONDS:
            return f"the spool's disk failed: {self._failure}"
        if self.disk_bytes() + self._arriving_bytes >= self.bounds.most_bytes:
            return f"the spool is full: spool.max_bytes is {self.bounds.most_bytes}"
        if self.oldest_seconds() > self.bounds.oldest_seconds:
            return (
                "the spool holds a record for longer than spool.max_age_seconds,"
                f" {self.bounds.oldest_seconds:.0f}"
            )
        return None

    def oldest_seconds(self) -> float:
        """Return how long the oldest record has waited, 0 without any."""
        oldest = self.book.oldest()
        return 0.0 if oldest is None else max(0.0, self.now() - oldest)

    def load(self, place: EntryPlace, entry: SpoolEntry, done: set[int]) -> None:
        """Take over an entry that an earlier process left."""
        # Only the difference of this moment depends on the wall clock, which may be set.
        age = max(0.0, self.wall() - entry.arrived)
        records = self.book.arriving(entry.records, self.now() - age)
        self.book.stored(records, place, done)

    def store(self, records: Sequence[OutgoingRecord], stored: StoreResult) -> None:
        """Take the places of a delivery's records now, and write them; then call `stored`.

        `stored` is called later, never before this returns.
        """
        taken = self.book.arriving(records, self.now())
        entry = encode_entry(SpoolEntry(self.wall(), tuple(records)))
        self._arriving_bytes += len(entry)
        self.post(AppendJob(entry, partial(self._appended, taken, len(entry), stored)))

    def published(self, record: SpooledRecord) -> None:
        """Forget a record that the broker acknowledged."""
        assert record.place is not None  # noqa: S101 - it was read from there
        self.post(MarkJob(record.place, record.index))
        self.book.published(record)
        self.done += 1
        self.metrics.published.inc()

    def set_aside(
        self, record: SpooledRecord, content: OutgoingRecord, why: str, done: Callable[[], None]
    ) -> None:
        """Move a record that the broker refuses for good to a separate file."""
        self.book.refused(record)
        aside = RecordAside(self.wall(), why, content)
        self.post(AsideJob(aside, partial(self._aside, record, why, done)))

    def damaged(self, record: SpooledRecord, why: str) -> None:
        """Pass a record over that the disk no longer returns; its file is not removed."""
        self.log.error("spool_record_damaged", topic=record.key[0], file=_file(record), detail=why)
        self.metrics.damaged.inc()
        self.book.damaged(record)

    def _appended(
        self,
        records: Sequence[SpooledRecord],
        size: int,
        stored: StoreResult,
        place: EntryPlace | None,
        error: OSError | None,
    ) -> None:
        self._arriving_bytes -= size
        if place is None:
            self.book.lost(records)
            self.disk_failed(error)
            stored(f"the spool's disk failed: {self._failure}")
        else:
            self._disk_works()
            self.book.stored(records, place)
            self.metrics.stored.inc(len(records))
            stored(None)
        self.wake()

    def disk_failed(self, error: OSError | None) -> None:
        """Record a failure of the disk; log it once until the disk works again."""
        self._failure = (error.strerror or str(error)) if error else "unknown"
        self.metrics.disk_errors.inc()
        if self._failed_at is None:
            self.log.error("spool_disk_failed", detail=self._failure)
        self._failed_at = self.now()

    def _disk_works(self) -> None:
        if self._failed_at is not None:
            self.log.info("spool_disk_works")
        self._failed_at = None

    def _aside(
        self, record: SpooledRecord, why: str, done: Callable[[], None], error: OSError | None
    ) -> None:
        if error is not None:
            self.book.not_set_aside(record)
            self.disk_failed(error)
        else:
            assert record.place is not None  # noqa: S101 - it was read from there
            self.post(MarkJob(record.place, record.index))
            self.book.set_aside(record)
            self.done += 1
            self.metrics.set_aside.inc()
            self.log.error("spool_record_set_aside", topic=record.key[0], detail=why)
        done()

    def _finished(self, segment: str, entries: int) -> None:
        self.post(RemoveJob(segment, entries))


def _file(record: SpooledRecord) -> str:
    return "" if record.place is None else record.place.segment
