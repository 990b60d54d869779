"""The operating system's disk, whose files may not grow beyond a limit: as if it were full."""

import os
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from router.contract.wire import OutgoingRecord
from router.edge.spool.storage.codec import SpoolEntry, encode_entry
from router.edge.spool.storage.disk import RealDisk
from router.edge.spool.storage.files import SpoolFiles

MOST_BYTES = 20_000


@pytest.fixture
def full() -> Iterator[None]:
    """Refuse to write any file beyond a limit while the test runs."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _entry(value: bytes) -> bytes:
    return encode_entry(SpoolEntry(1.0, (OutgoingRecord("payment", b"key", value, []),)))


def _files(folder: Path) -> SpoolFiles:
    return SpoolFiles(RealDisk(), folder, partial(os.urandom, 16))


def _fill(files: SpoolFiles, confirmed: list[int]) -> None:
    for number in range(100):
        files.commit([_entry(b"%d" % number + b"x" * 1000)])
        confirmed.append(number)


def test_a_full_disk_loses_nothing_that_was_confirmed(tmp_path: Path, full: None) -> None:
    del full
    files = _files(tmp_path)
    files.recover()
    confirmed: list[int] = []
    with pytest.raises(OSError, match="File too large"):
        _fill(files, confirmed)
    # As after room was made: a new file takes over.
    files.commit([_entry(b"later")])
    files.close()

    found = _files(tmp_path).recover()

    values = [entry.records[0].value for _, entry, _ in found.entries]
    assert [int(value.rstrip(b"x")) for value in values[:-1]] == confirmed
    assert values[-1] == b"later"
    assert (found.torn_files, found.refused) == (1, [])
    assert found.torn_bytes > 0


def test_a_file_that_confirmed_nothing_is_removed(tmp_path: Path, full: None) -> None:
    del full
    files = _files(tmp_path)

    with pytest.raises(OSError, match="File too large"):
        files.commit([_entry(b"x" * (MOST_BYTES + 1))])

    assert list(tmp_path.glob("*.segment")) == []
    assert files.size == 0
