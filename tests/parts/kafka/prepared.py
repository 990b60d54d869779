"""What every Kafka node of the tests starts from, made once: a formatted storage, loaded classes.

Together they halve the cost of a node's start: formatting is a Java program of its own, and a
JVM without an archive of the classes parses and checks thousands of them again.
"""

import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.parts.kafka.libraries import REPOSITORY, kafka_version, libraries

_META: Final = "meta.properties"


class Prepared:
    """A folder with both; what it has not, a node does without."""

    def __init__(self, folder: Path) -> None:
        """Refer to a folder."""
        self.storage = folder / "storage"
        self.classes = folder / "classes.jsa"

    def copy_storage(self, data: Path, **own: str) -> None:
        """Copy the formatted storage to `data`, with these values in its properties."""
        shutil.copytree(self.storage, data)
        meta = data / _META
        pairs = [line.split("=", 1) for line in meta.read_text().splitlines() if "=" in line]
        values = {**dict(pairs), **{name.replace("_", "."): value for name, value in own.items()}}
        meta.write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def options(self) -> list[str]:
        """Return the options by which a JVM uses the archive; none if it does not exist."""
        return [f"-XX:SharedArchiveFile={self.classes}"] if self.classes.is_file() else []


def prepared(prepare: Callable[[Prepared], None]) -> Prepared:
    """Return what is prepared on this machine, by `prepare` the first time."""
    # An archive of classes is good for jars at one path only.
    place = zlib.crc32(str(libraries()).encode())
    folder = REPOSITORY / ".kafka" / f"prepared-{kafka_version()}-{place:08x}"
    if not folder.is_dir():
        unfinished = Path(tempfile.mkdtemp(prefix="prepare-", dir=folder.parent))
        try:
            prepare(Prepared(unfinished))
            # Another worker may have been faster.
            if not folder.exists():
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Prepared(folder)
