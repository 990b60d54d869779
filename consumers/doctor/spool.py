"""Judges the disk of the edge's spool, without writing to it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from router.configuration.process_settings import SpoolSettings

_THING = CheckedThing(CheckedArea.ENDPOINTS, "spool")

_MOUNTS = Path("/proc/self/mounts")

_DOUBTFUL = {
    "tmpfs": "it is memory, and lost with the machine",
    "ramfs": "it is memory, and lost with the machine",
    "overlay": "it is a container's own layer, and lost with the container",
    "nfs": "locks and fsync of NFS depend on its server",
    "nfs4": "locks and fsync of NFS depend on its server",
    "cifs": "locks and fsync of a network share depend on its server",
}


def judge_spool(spool: SpoolSettings, mounts: Path = _MOUNTS) -> Iterator[CheckResult]:
    """Yield the results about the spool's disk; none without a spool."""
    if spool.path is None:
        return
    folder = _existing(spool.path)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield _THING.fail(f"{folder} cannot be written", "give its user the right, or another path")
        return
    free = shutil.disk_usage(folder).free
    if free < spool.max_bytes:
        remedy = "make room, or lower spool.max_bytes: a full disk is answered 503"
        yield _THING.warn(f"{folder} has {free} bytes free, less than spool.max_bytes", remedy)
    kind = _file_system(folder, mounts)
    if kind in _DOUBTFUL:
        remedy = "use a local disk or a block volume that outlives the process"
        yield _THING.warn(f"{folder} is on {kind}: {_DOUBTFUL[kind]}", remedy)
    elif free >= spool.max_bytes:
        yield _THING.ok(f"{folder} can be written, {free} bytes free")


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists: an edge makes the others."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.is_dir())


def _file_system(folder: Path, mounts: Path) -> str | None:
    """Return the type of the file system that a folder is on, None if it is unknown."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return None
    # Later mounts cover earlier ones of the same place.
    found = [
        (len(line[1]), at, line[2]) for at, line in enumerate(lines) if _is_in(folder, line[1])
    ]
    return max(found)[2] if found else None


def _is_in(folder: Path, mount: str) -> bool:
    return folder.resolve().is_relative_to(mount.encode().decode("unicode_escape"))
