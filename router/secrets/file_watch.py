"""Have files changed? Told by polling, which sees every way in which they are replaced.

Kubernetes replaces a mounted secret by renaming a symlink two levels above it, an editor by
renaming a file, a script by writing into it. What all of them change is what the path leads to.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Stamp = tuple[int, int, int, int] | None
"""Device, inode, time of change and size of what a path leads to; None where nothing is there."""


def stamp(path: Path) -> Stamp:
    """Return the identity of what a path leads to, through symlinks."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


@dataclass
class FileWatch:
    """Looks at some files from time to time; `changed` tells when they have changed and settled.

    A change counts once two looks in a row found the same: what is still being
    written is left alone. The same content in another file is no change.
    """

    _seen: dict[Path, Stamp] = field(default_factory=dict)
    _settled: dict[Path, Stamp] = field(default_factory=dict)
    _digests: dict[Path, bytes] = field(default_factory=dict, repr=False)

    def follow(self, paths: Iterable[Path]) -> bool:
        """Look at these files from now on; tell whether there is a new one among them.

        A new one is known as it is now: who read it before has to read it again.
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
        """Look again; tell whether the content of a file has changed, and has settled."""
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
        # Nothing is there, or it may not be read: the reload that follows says so.
        return b""
