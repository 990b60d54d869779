"""Detects changed files by polling, which works for every way of replacing a file.

Kubernetes replaces a mounted secret by renaming a symlink two levels above it, an editor by
renaming a file, a script by writing into it. All of them change the target of the path.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Stamp = tuple[int, int, int, int] | None
"""Device, inode, time of change and size of the target of a path; None if there is no target."""


def stamp(path: Path) -> Stamp:
    """Return the identity of the target of a path, through symlinks."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


@dataclass
class FileWatch:
    """Polls files; `changed` returns whether they have changed and settled.

    A change counts when two polls in a row find the same stamp, so a file that is
    still being written is not read. The same content in another file is not a change.
    """

    _seen: dict[Path, Stamp] = field(default_factory=dict)
    _settled: dict[Path, Stamp] = field(default_factory=dict)
    _digests: dict[Path, bytes] = field(default_factory=dict, repr=False)

    def follow(self, paths: Iterable[Path]) -> bool:
        """Poll these files from now on; return whether one of them is new.

        The current content of a new file counts as known: read the file again after this call.
        """
        known = self._settled
        paths = list(paths)
        self._settled = {path: known[path] if path in known else stamp(path) for path in paths}
        self._seen = {path: self._seen.get(path, self._settled[path]) for path in paths}
        self._digests = {
            path: self._digests[path] if path in known else _digest(path) for path in paths
        }
        return not known.keys() >= self._settled.keys()

    def changed(self) -> bool:
        """Poll once; return whether the content of a file has changed and settled."""
        before, self._seen = self._seen, {path: stamp(path) for path in self._settled}
        if self._seen == self._settled or self._seen != before:
            return False
        known, self._digests = self._digests, {path: _digest(path) for path in self._seen}
        self._settled = self._seen
        return self._digests != known


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except (OSError, ValueError):
        # Missing or unreadable: the reload that follows reports it.
        return b""
