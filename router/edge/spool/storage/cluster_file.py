"""Remembers the cluster that a spool's records are for: a copied disk must reach no other one."""

import contextlib
from pathlib import Path

from router.edge.spool.storage.disk import Disk

CLUSTER = "cluster"


def other_cluster(disk: Disk, folder: Path, cluster: str) -> str | None:
    """Return the id of another cluster that the spool belongs to, None if it is this one.

    A spool without an owner belongs to this one from now on. Raises OSError.
    """
    path = folder / CLUSTER
    if CLUSTER in disk.names(folder):
        known = disk.read(path).decode("utf-8", "replace").strip()
        return None if known == cluster else known
    draft = folder / f"{CLUSTER}.draft"
    disk.unlink(draft)
    file = disk.create(draft)
    with contextlib.closing(file):
        file.append(cluster.encode())
        file.sync()
    disk.rename(draft, path)
    disk.sync_folder(folder)
    return None
