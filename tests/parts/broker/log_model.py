"""A model of a partition's log: its batches, its transactions, and its bytes."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from router.broker.log.raw_fetch import RawRecords
from tests.parts.runtime.unreadable import summed

_ATTRIBUTES, _LAST_DELTA = 21, 23
_CONTROL = 0x20
ABORT, COMMIT = 0, 1


@dataclass(frozen=True)
class Batch:
    """One batch: the offsets it was written with, those it still has, and its producer."""

    offsets: range
    kept: Sequence[int]
    producer: int = -1
    transactional: bool = False
    ends: int | None = None
    """ABORT or COMMIT for a control batch."""
    aborted: bool = False

    def data(self) -> bytes:
        """Encode the batch as a broker stores it."""
        open_ = int(self.transactional)
        builder = DefaultRecordBatchBuilder(2, 0, open_, self.producer, 0, 0, 1 << 20)
        key = b"key" if self.ends is None else struct.pack(">HH", 0, self.ends)
        for offset in self.kept:
            builder.append(offset - self.offsets.start, 1000, key, b"value", [])
        data = bytearray(builder.build())
        struct.pack_into(">q", data, 0, self.offsets.start)
        struct.pack_into(">i", data, _LAST_DELTA, len(self.offsets) - 1)
        if self.ends is not None:
            data[_ATTRIBUTES + 1] |= _CONTROL
        return bytes(summed(data))


@dataclass
class Log:
    """A log, written by one method call per batch; open transactions limit the readable part."""

    batches: list[Batch] = field(default_factory=list)
    end: int = 0
    start: int = 0
    open: dict[int, int] = field(default_factory=dict)
    aborts: list[tuple[int, int, int]] = field(default_factory=list)
    """Producer, first offset, and the offset of the marker."""

    def write(self, count: int, producer: int = -1, *, in_transaction: bool = False) -> None:
        """Write a batch, inside or outside of the producer's transaction."""
        offsets = range(self.end, self.end + count)
        if in_transaction:
            self.open.setdefault(producer, offsets.start)
        self._put(Batch(offsets, offsets, producer, in_transaction))

    def finish(self, producer: int, how: int) -> None:
        """End the producer's transaction, if it has one."""
        first = self.open.pop(producer, None)
        if first is None:
            return
        if how == ABORT:
            self.aborts.append((producer, first, self.end))
            self.batches = [
                replace(each, aborted=True)
                if each.producer == producer and each.transactional and each.offsets.start >= first
                else each
                for each in self.batches
            ]
        marker = range(self.end, self.end + 1)
        self._put(Batch(marker, marker, producer, transactional=True, ends=how))

    @property
    def stable(self) -> int:
        """The last stable offset."""
        return min(self.open.values(), default=self.end)

    def explained(self) -> set[int]:
        """Return the offsets that transactions explain to a read_committed reader."""
        return {
            offset
            for batch in self.batches
            if batch.ends is not None or batch.aborted
            for offset in batch.offsets
        }

    def readable(self) -> set[int]:
        """Return the offsets of the records that a read_committed reader gets."""
        return {
            offset
            for batch in self.batches
            if batch.ends is None and not batch.aborted
            for offset in batch.kept
            if self.start <= offset < self.stable
        }

    def fetch(self, offset: int, most_bytes: int) -> RawRecords:
        """Answer like a broker: the first batch is complete, the last one may be cut off."""
        found = list(self._from(offset))
        data, upper = b"", offset
        for batch in found:
            if data and len(data) >= most_bytes:
                break
            data += batch.data()
            upper = batch.offsets.stop
        if found:
            data = data[: max(most_bytes, len(found[0].data()))]
        aborted = [(p, at) for p, at, marker in self.aborts if marker >= offset and at < upper]
        return RawRecords(data, aborted, self.stable)

    def _from(self, offset: int) -> Iterator[Batch]:
        for batch in self.batches:
            if batch.offsets.stop > offset and batch.offsets.start < self.stable:
                yield batch

    def _put(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.end = batch.offsets.stop
