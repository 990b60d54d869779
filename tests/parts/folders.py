"""Temporary folders for the data of the servers that the tests start."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - `mkdtemp` makes a private folder in it
_ENOUGH_BYTES: Final = 3 * 1024**3


def server_folder(name: str, memory: Path = _MEMORY) -> Path:
    """Make an empty folder, in memory if there is much of it, else on disk.

    Nothing has to survive the machine, and a busy disk takes a second to copy a database.
    """
    roomy = memory.is_dir() and shutil.disk_usage(memory).free >= _ENOUGH_BYTES
    return Path(tempfile.mkdtemp(prefix=f"payrouter-{name}-", dir=memory if roomy else None))
