"""The operations on files that the spool needs; a test can put a disk that loses writes here."""

import os
from pathlib import Path
from typing import Protocol

_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700


class AppendedFile(Protocol):
    """A file open to be appended to."""

    def append(self, data: bytes) -> None:
        """Write all of the data at the end, or raise OSError; it is not durable yet."""

    def sync(self) -> None:
        """Return once everything that was appended is durable, or raise OSError."""

    def close(self) -> None:
        """Close the file; what is not synced may be lost by a power cut."""


class Disk(Protocol):
    """A file system; every method raises OSError."""

    def make_folder(self, path: Path) -> None:
        """Create a folder and its parents, unless they exist."""

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; none if there is no such folder."""

    def size(self, path: Path) -> int:
        """Return the size of a file in bytes."""

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of a file, shorter if the file ends before."""

    def create(self, path: Path) -> AppendedFile:
        """Create a file that does not exist; its name is durable after `sync_folder`."""

    def extend(self, path: Path) -> AppendedFile:
        """Open a file to append to it; create it if it does not exist."""

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file durably to a length in bytes."""

    def rename(self, path: Path, target: Path) -> None:
        """Rename a file; durable after `sync_folder`."""

    def unlink(self, path: Path) -> None:
        """Remove a file, if it exists."""

    def sync_folder(self, folder: Path) -> None:
        """Return once the names in a folder are durable."""


class RealFile:
    """A file of the operating system."""

    def __init__(self, path: Path, flags: int) -> None:
        """Open it."""
        flags |= os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, _PRIVATE_FILE)

    def append(self, data: bytes) -> None:
        """Write all of the data."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        """Write everything to the disk itself."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class RealDisk:
    """The operating system's file systems."""

    def make_folder(self, path: Path) -> None:
        """Create a folder that only this user may read."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        path.mkdir(_PRIVATE_FOLDER, exist_ok=True)
        self.sync_folder(path.parent)

    def names(self, folder: Path) -> list[str]:
        """List a folder."""
        try:
            return sorted(each.name for each in folder.iterdir())
        except FileNotFoundError:
            return []

    def size(self, path: Path) -> int:
        """Ask for a file's size."""
        return path.stat().st_size

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Read a part of a file."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def create(self, path: Path) -> RealFile:
        """Create a file."""
        return RealFile(path, os.O_EXCL)

    def extend(self, path: Path) -> RealFile:
        """Open or create a file."""
        return RealFile(path, 0)

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file and sync it."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, length)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, path: Path, target: Path) -> None:
        """Rename a file."""
        path.rename(target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Sync a folder."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
