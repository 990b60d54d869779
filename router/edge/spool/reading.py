"""Reads spools from outside, whether their process runs or not, and changes nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from router.edge.spool.leftovers import slot_folders
from router.edge.spool.storage import codec
from router.edge.spool.storage.cluster_file import CLUSTER
from router.edge.spool.storage.codec import RecordAside, Scan, SpoolFormatError, TailState
from router.edge.spool.storage.disk import Disk
from router.edge.spool.storage.files import (
    ASIDE,
    ASIDE_FOLDER,
    MARKS,
    REFUSED,
    SEGMENT,
    RefusedFile,
)
from router.edge.spool.storage.lock import user_of


@dataclass
class SpoolContent:
    """The content of one spool.

    `process` is the id of the process that uses it. `waiting` counts records by topic; `oldest`
    is in seconds of Unix time. `torn_bytes` is an incomplete write at the end of a file: of a
    running process it may be one that is under way.
    """

    folder: Path
    process: str | None
    cluster: str | None = None
    size: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    oldest: float | None = None
    torn_bytes: int = 0
    problems: list[RefusedFile] = field(default_factory=list)
    asides: list[tuple[Path, RecordAside]] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many records wait for the broker."""
        return self.waiting.total()


def read_spools(disk: Disk, root: Path) -> Sequence[SpoolContent]:
    """Return the content of all spools below a path; raises OSError."""
    return [_read(disk, folder) for folder in slot_folders(disk, root)]


def _read(disk: Disk, folder: Path) -> SpoolContent:
    content = SpoolContent(folder, user_of(folder))
    for name in disk.names(folder):
        path = folder / name
        try:
            if name == CLUSTER:
                content.cluster = disk.read(path).decode("utf-8", "replace").strip()
            elif name.endswith(SEGMENT):
                _read_segment(disk, path, content)
            elif name.endswith(REFUSED):
                content.size += disk.size(path)
                content.problems.append(RefusedFile(path, "it was refused when an edge started"))
        except FileNotFoundError:
            # The running process has published and removed it in the meantime.
            continue
        except SpoolFormatError as problem:
            content.problems.append(RefusedFile(path, str(problem)))
    _read_asides(disk, folder / ASIDE_FOLDER, content)
    return content


def _read_segment(disk: Disk, path: Path, content: SpoolContent) -> None:
    data = disk.read(path)
    content.size += len(data)
    if codec.is_torn_header(data):
        content.torn_bytes += len(data)
        return
    scanned = codec.scan(data)
    if scanned.tail is TailState.CORRUPT:
        message = f"it is damaged at byte {scanned.end}, before entries that are valid"
        content.problems.append(RefusedFile(path, message))
    elif scanned.tail is TailState.TORN:
        content.torn_bytes += len(data) - scanned.end
    _count(scanned, _marks(disk, path, codec.decode_header(data)), content)


def _count(scanned: Scan, done: set[tuple[int, int]], content: SpoolContent) -> None:
    for offset, _, entry in scanned.entries:
        left = [
            each.topic for index, each in enumerate(entry.records) if (offset, index) not in done
        ]
        content.waiting.update(left)
        if left:
            content.oldest = min(entry.arrived, content.oldest or entry.arrived)


def _marks(disk: Disk, path: Path, segment_id: bytes) -> set[tuple[int, int]]:
    marks = path.with_suffix(MARKS)
    if marks.name not in disk.names(path.parent):
        return set()
    return codec.decode_marks(disk.read(marks), segment_id)


def _read_asides(disk: Disk, folder: Path, content: SpoolContent) -> None:
    for name in disk.names(folder):
        if not name.endswith(ASIDE):
            continue
        path = folder / name
        try:
            data = disk.read(path)
            content.size += len(data)
            content.asides.append((path, codec.decode_aside(data)))
        except SpoolFormatError as problem:
            content.problems.append(RefusedFile(path, str(problem)))
        except FileNotFoundError:
            continue
