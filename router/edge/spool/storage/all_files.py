"""The files of this process's spool and of those that it took over, as if they were one."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from router.edge.spool.storage.codec import EntryPlace, RecordAside, SpoolEntry
from router.edge.spool.storage.files import SpoolFiles


class AllFiles:
    """Appends to its own files; reads, marks and removes the segments of all."""

    def __init__(self, own: SpoolFiles) -> None:
        """Start with its own."""
        self._own = own
        self._others: dict[str, SpoolFiles] = {}

    @property
    def size(self) -> int:
        """What all of them take, in bytes."""
        return sum(each.size for each in (self._own, *self._others.values()))

    def adopt(self, files: SpoolFiles) -> None:
        """Add the files of another folder."""
        self._others[str(files.folder)] = files

    def release(self, files: SpoolFiles) -> None:
        """Remove the files of another folder."""
        self._others.pop(str(files.folder), None)

    def commit(self, entries: Sequence[bytes]) -> list[EntryPlace]:
        """Append to its own files: see `SpoolFiles.commit`."""
        return self._own.commit(entries)

    def set_aside(self, aside: RecordAside) -> None:
        """Set a record aside in its own folder."""
        self._own.set_aside(aside)

    def read(self, place: EntryPlace) -> SpoolEntry:
        """Read an entry of any of them."""
        return self._own.read(place)

    def has(self, segment: str) -> bool:
        """Return whether one of them has a segment."""
        return self._of(segment).has(segment)

    def mark(self, segment: str, done: Iterable[tuple[int, int]]) -> None:
        """Mark records as done."""
        self._of(segment).mark(segment, done)

    def remove(self, segment: str, entries: int) -> bool:
        """Remove a segment: see `SpoolFiles.remove`."""
        return self._of(segment).remove(segment, entries)

    def close(self) -> None:
        """Close what is open."""
        self._own.close()

    def _of(self, segment: str) -> SpoolFiles:
        return self._others.get(str(Path(segment).parent), self._own)
