"""Takes over the spools of processes that have ended, such as workers that no longer exist."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from router.edge.spool.storage.all_files import AllFiles
from router.edge.spool.storage.cluster_file import other_cluster
from router.edge.spool.storage.disk import Disk
from router.edge.spool.storage.files import SEGMENT, Recovered, SpoolFiles
from router.edge.spool.storage.lock import SpoolInUse, locked

SLOT = "slot-"


def slot_folder(root: Path, number: int) -> Path:
    """Return the folder of one process's spool; the first one has the number 1."""
    return root / f"{SLOT}{number}"


def slot_folders(disk: Disk, root: Path) -> list[Path]:
    """Return the folders of all spools below a path."""
    return [root / name for name in disk.names(root) if name.startswith(SLOT)]


@dataclass
class Leftovers:
    """The spools below `root` that this process has taken over; each is locked until it is empty.

    `load` is called with what was found.
    """

    disk: Disk
    root: Path
    own: Path
    files: AllFiles
    make: Callable[[Path], SpoolFiles]
    held: Callable[[], set[str]]
    """Returns the segments with records that are not done."""
    _locks: dict[Path, tuple[contextlib.ExitStack, SpoolFiles]] = field(default_factory=dict)

    def take_over(self, cluster: str) -> Iterator[tuple[Path, Recovered]]:
        """Yield what unlocked spools of this cluster hold. Blocks; raises OSError."""
        for folder in slot_folders(self.disk, self.root):
            if folder != self.own and folder not in self._locks and self._has_records(folder):
                found = self._locked(folder, cluster)
                if found is not None:
                    yield folder, found

    def release_empty(self) -> None:
        """Unlock the spools of which everything is done."""
        used = {Path(each).parent for each in self.held()}
        for folder in [each for each in self._locks if each not in used]:
            lock, files = self._locks.pop(folder)
            self.files.release(files)
            lock.close()

    def close(self) -> None:
        """Unlock all of them."""
        for lock, _ in self._locks.values():
            lock.close()
        self._locks.clear()

    def _has_records(self, folder: Path) -> bool:
        return any(name.endswith(SEGMENT) for name in self.disk.names(folder))

    def _locked(self, folder: Path, cluster: str) -> Recovered | None:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(folder))
            except SpoolInUse:
                return None
            if other_cluster(self.disk, folder, cluster) is not None:
                return None
            files = self.make(folder)
            found = files.recover()
            self.files.adopt(files)
            self._locks[folder] = stack.pop_all(), files
            return found
