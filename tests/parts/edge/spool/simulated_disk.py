"""A disk in memory that loses unsynced writes at a power cut, and fails when told to."""

import errno
from dataclasses import dataclass, field
from pathlib import Path
from random import Random


@dataclass
class _Content:
    """The bytes of a file, and how many of them are durable."""

    data: bytes = b""
    durable: int = 0


@dataclass
class SimulatedDisk:
    """Implements `Disk`. Names and bytes are lost at a power cut unless they were synced.

    `failing` names the operations that fail: `append` writes a part before, `sync` loses what was
    not durable although later syncs of the same file succeed, as Linux does.
    """

    files: dict[Path, _Content] = field(default_factory=dict)
    durable_names: dict[Path, _Content] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    lost: list[_Content] = field(default_factory=list)

    def power_cut(self, random: Random) -> "SimulatedDisk":
        """Return the disk after a power cut: unsynced names and bytes may be there in part."""
        names = dict(self.durable_names)
        for path, content in self.files.items():
            if path not in names and random.random() < 0.5:
                names[path] = content
        for path in list(names):
            if path not in self.files and random.random() < 0.5:
                del names[path]
        kept = {path: _torn(content, random, self.lost) for path, content in names.items()}
        return SimulatedDisk(kept, dict(kept))

    def make_folder(self, path: Path) -> None:
        """Do nothing: folders always exist."""
        del path

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder."""
        return sorted(path.name for path in self.files if path.parent == folder)

    def size(self, path: Path) -> int:
        """Return the size of a file."""
        return len(self.files[path].data)

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of a file."""
        data = self.files[path].data
        return data[offset:] if length is None else data[offset : offset + length]

    def create(self, path: Path) -> "SimulatedFile":
        """Create a file."""
        self.fail("create")
        assert path not in self.files
        self.files[path] = _Content()
        return SimulatedFile(self, self.files[path])

    def extend(self, path: Path) -> "SimulatedFile":
        """Open a file to append to it."""
        self.fail("create")
        return SimulatedFile(self, self.files.setdefault(path, _Content()))

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file durably."""
        content = self.files[path]
        content.data = content.data[:length]
        content.durable = length

    def rename(self, path: Path, target: Path) -> None:
        """Rename a file."""
        self.files[target] = self.files.pop(path)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        self.files.pop(path, None)

    def sync_folder(self, folder: Path) -> None:
        """Make the names of a folder durable."""
        self.fail("sync_folder")
        for path in [each for each in self.durable_names if each.parent == folder]:
            del self.durable_names[path]
        inside = {path: each for path, each in self.files.items() if path.parent == folder}
        self.durable_names.update(inside)

    def fail(self, operation: str) -> None:
        """Raise OSError if the operation is to fail."""
        if operation in self.failing:
            raise OSError(errno.ENOSPC, "No space left on device")


@dataclass
class SimulatedFile:
    """A file open to be appended to."""

    disk: SimulatedDisk
    content: _Content

    def append(self, data: bytes) -> None:
        """Append all of the data, or a part of it if that is to fail."""
        if "append" in self.disk.failing:
            self.content.data += data[: len(data) // 2]
        self.disk.fail("append")
        self.content.data += data

    def sync(self) -> None:
        """Make the data durable; a failed sync loses it, and the next one does not notice."""
        if "sync" in self.disk.failing:
            self.disk.lost.append(self.content)
        self.disk.fail("sync")
        if not any(each is self.content for each in self.disk.lost):
            self.content.durable = len(self.content.data)

    def close(self) -> None:
        """Do nothing."""


def _torn(content: _Content, random: Random, lost: list[_Content]) -> _Content:
    unsynced = len(content.data) - content.durable
    if any(each is content for each in lost):
        kept = 0
    else:
        kept = random.choice([0, unsynced, random.randint(0, unsynced)])
    data = content.data[: content.durable + kept]
    if kept < unsynced and random.random() < 0.3:
        # The size of the file is written before its content.
        data += bytes(unsynced - kept)
    return _Content(data, len(data))
