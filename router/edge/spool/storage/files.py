"""The files of one spool: its segments, the marks of what is done, and records set aside.

Used by one thread at a time. Nothing is appended to a file whose write or sync failed, nor to a
file of an earlier process: after a failed sync a second one may succeed without the data.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from router.edge.spool.storage import codec
from router.edge.spool.storage.codec import (
    EntryPlace,
    RecordAside,
    SpoolEntry,
    SpoolFormatError,
    TailState,
)
from router.edge.spool.storage.disk import AppendedFile, Disk

SEGMENT, MARKS, REFUSED, ASIDE, DRAFT = ".segment", ".marks", ".refused", ".record", ".draft"
"""How the names of files end; a refused segment keeps its whole name before it."""

ASIDE_FOLDER: Final = "set-aside"
SEGMENT_BYTES: Final = 8 * 1024 * 1024
_DIGITS: Final = 12

NewId = Callable[[], bytes]


@dataclass(frozen=True)
class RefusedFile:
    """A file that is not read and not removed, and why."""

    path: Path
    why: str


@dataclass
class Recovered:
    """What an earlier process left: entries in the order of their arrival.

    Each has its place and the indexes of its records that are done. `torn_bytes` is what was cut
    off: writes that were never confirmed.
    """

    entries: list[tuple[EntryPlace, SpoolEntry, set[int]]] = field(default_factory=list)
    torn_bytes: int = 0
    torn_files: int = 0
    refused: list[RefusedFile] = field(default_factory=list)


@dataclass
class _Active:
    """The segment that is written to."""

    path: Path
    file: AppendedFile
    segment_id: bytes
    size: int
    committed: bool = False


class SpoolFiles:
    """The files in one folder. Methods raise OSError if the disk fails."""

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        new_id: NewId,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Store the parts; `recover` reads the folder. `new_id` returns 16 random bytes."""
        self._disk = disk
        self.folder = folder
        self._new_id = new_id
        self._segment_bytes = segment_bytes
        self._active: _Active | None = None
        self._next = 1
        self._ids: dict[str, bytes] = {}
        self._entries: dict[str, int] = {}
        self._sizes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """What the segments and the refused files take, in bytes."""
        return sum(self._sizes.values())

    def recover(self) -> Recovered:
        """Read all segments; cut incomplete writes off, rename files that must not be read."""
        self._disk.make_folder(self.folder)
        found = Recovered()
        for name in self._disk.names(self.folder):
            path = self.folder / name
            if name.endswith((SEGMENT, REFUSED)):
                self._next = max(self._next, _number(name) + 1)
                self._sizes[str(path)] = self._disk.size(path)
            if name.endswith(SEGMENT):
                self._recover_segment(path, found)
            elif name.endswith(REFUSED):
                found.refused.append(RefusedFile(path, "it was refused before"))
        return found

    def commit(self, entries: Sequence[bytes]) -> list[EntryPlace]:
        """Append encoded entries and return their places once they are durable, all or none."""
        active = self._writable()
        block = codec.encode_block(active.segment_id, entries)
        places, at = [], active.size + codec.BLOCK_BYTES
        for entry in entries:
            places.append(EntryPlace(str(active.path), at, len(entry)))
            at += len(entry)
        try:
            active.file.append(block)
            active.file.sync()
        except OSError:
            self._abandon(active)
            raise
        active.size += len(block)
        active.committed = True
        self._sizes[str(active.path)] = active.size
        self._entries[str(active.path)] += len(entries)
        return places

    def read(self, place: EntryPlace) -> SpoolEntry:
        """Return an entry; raises SpoolFormatError if its checksum is wrong. Any thread may."""
        return codec.decode_entry(self._disk.read(Path(place.segment), place.offset, place.length))

    def mark(self, segment: str, done: Iterable[tuple[int, int]]) -> None:
        """Mark records as done, by offset and index; a lost mark leads to a repetition only."""
        marks = Path(segment).with_suffix(MARKS)
        file = self._disk.extend(marks)
        try:
            head = b"" if self._disk.size(marks) else codec.encode_header(self._ids[segment])
            file.append(head + b"".join(codec.encode_mark(*each) for each in done))
        finally:
            file.close()

    def has(self, segment: str) -> bool:
        """Return whether a segment exists that may be marked."""
        return segment in self._ids

    def remove(self, segment: str, entries: int) -> bool:
        """Remove a segment that has exactly this many entries; False if it has more."""
        if self._entries.get(segment) != entries:
            return False
        if self._active is not None and str(self._active.path) == segment:
            self._close()
        path = Path(segment)
        # In this order: marks without their segment are ignored.
        self._disk.unlink(path)
        self._disk.unlink(path.with_suffix(MARKS))
        for each in (self._ids, self._entries, self._sizes):
            each.pop(segment, None)
        return True

    def set_aside(self, aside: RecordAside) -> None:
        """Write a record that the broker refuses for good to a durable file of its own."""
        folder = self.folder / ASIDE_FOLDER
        self._disk.make_folder(folder)
        name = f"{int(aside.since * 1000):015}-{self._new_id().hex()[:12]}"
        draft, path = folder / f"{name}{DRAFT}", folder / f"{name}{ASIDE}"
        file = self._disk.create(draft)
        try:
            file.append(codec.encode_aside(aside))
            file.sync()
        finally:
            file.close()
        self._disk.rename(draft, path)
        self._disk.sync_folder(folder)

    def asides(self) -> int:
        """Return how many records are set aside."""
        names = self._disk.names(self.folder / ASIDE_FOLDER)
        return sum(name.endswith(ASIDE) for name in names)

    def close(self) -> None:
        """Close what is open."""
        self._close()

    def _writable(self) -> _Active:
        if self._active is not None and self._active.size >= self._segment_bytes:
            self._close()
        if self._active is None:
            self._active = self._created()
        return self._active

    def _created(self) -> _Active:
        path = self.folder / f"{self._next:0{_DIGITS}}{SEGMENT}"
        self._next += 1
        segment_id = self._new_id()
        header = codec.encode_header(segment_id)
        active = _Active(path, self._disk.create(path), segment_id, len(header))
        try:
            active.file.append(header)
            self._disk.sync_folder(self.folder)
        except OSError:
            self._abandon(active)
            raise
        self._ids[str(path)], self._entries[str(path)] = segment_id, 0
        self._sizes[str(path)] = len(header)
        return active

    def _abandon(self, active: _Active) -> None:
        """Write no more to a file whose write failed; remove it if it confirmed nothing."""
        self._active = None
        with contextlib.suppress(OSError):
            active.file.close()
        path = str(active.path)
        if active.committed:
            return
        with contextlib.suppress(OSError):
            self._disk.unlink(active.path)
        for each in (self._ids, self._entries, self._sizes):
            each.pop(path, None)

    def _close(self) -> None:
        active, self._active = self._active, None
        if active is not None:
            active.file.close()

    def _recover_segment(self, path: Path, found: Recovered) -> None:
        data = self._disk.read(path)
        try:
            scanned = self._scanned(path, data, found)
        except SpoolFormatError as problem:
            found.refused.append(self._refuse(path, str(problem)))
            return
        if scanned is None:
            return
        segment_id = codec.decode_header(data)
        done = self._marks(path, segment_id)
        self._ids[str(path)], self._entries[str(path)] = segment_id, len(scanned.entries)
        for offset, length, entry in scanned.entries:
            finished = {index for at, index in done if at == offset}
            found.entries.append((EntryPlace(str(path), offset, length), entry, finished))
        if not scanned.entries:
            self.remove(str(path), 0)

    def _scanned(self, path: Path, data: bytes, found: Recovered) -> codec.Scan | None:
        """Read a segment and cut an incomplete end off; None if not even its header was written."""
        if codec.is_torn_header(data):
            # The header is durable before the first entry is confirmed.
            self._cut(path, 0, len(data), found)
            self._disk.unlink(path)
            self._sizes.pop(str(path), None)
            return None
        scanned = codec.scan(data)
        if scanned.tail is TailState.CORRUPT:
            message = f"it is damaged at byte {scanned.end}, before entries that are valid"
            raise SpoolFormatError(message)
        if scanned.tail is TailState.TORN:
            self._cut(path, scanned.end, len(data) - scanned.end, found)
        return scanned

    def _cut(self, path: Path, end: int, torn: int, found: Recovered) -> None:
        if torn:
            self._disk.truncate(path, end)
            self._sizes[str(path)] = end
            found.torn_files += 1
            found.torn_bytes += torn

    def _marks(self, path: Path, segment_id: bytes) -> set[tuple[int, int]]:
        marks = path.with_suffix(MARKS)
        if marks.name not in self._disk.names(self.folder):
            return set()
        return codec.decode_marks(self._disk.read(marks), segment_id)

    def _refuse(self, path: Path, why: str) -> RefusedFile:
        """Rename a file, so that it is kept and never read as a segment."""
        target = path.with_name(path.name + REFUSED)
        self._disk.rename(path, target)
        self._sizes[str(target)] = self._sizes.pop(str(path), 0)
        return RefusedFile(target, why)


def _number(name: str) -> int:
    digits = name.partition(".")[0]
    return int(digits) if digits.isdecimal() else 0
