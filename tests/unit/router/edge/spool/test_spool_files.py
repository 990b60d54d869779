"""The files of a spool: what is read again, what is cut off, what is refused."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.wire import OutgoingRecord
from router.edge.spool.storage import codec
from router.edge.spool.storage.codec import RecordAside, SpoolEntry, TailState
from router.edge.spool.storage.files import Recovered, SpoolFiles
from tests.parts.edge.spool.simulated_disk import SimulatedDisk

FOLDER = Path("/spool/slot-1")
FIRST = FOLDER / "000000000001.segment"


def _entry(value: bytes) -> bytes:
    record = OutgoingRecord("payment", b"key", value, [("ce_id", value)])
    return codec.encode_entry(SpoolEntry(1.5, (record,)))


def _files(disk: SimulatedDisk, seed: int = 1) -> SpoolFiles:
    return SpoolFiles(disk, FOLDER, lambda: Random(seed).randbytes(16))


def _values(found: Recovered) -> Sequence[bytes]:
    return [record.value for _, entry, _ in found.entries for record in entry.records]


def _written(*blocks: Sequence[bytes]) -> SimulatedDisk:
    disk = SimulatedDisk()
    files = _files(disk)
    for block in blocks:
        files.commit([_entry(value) for value in block])
    return disk


def _change(disk: SimulatedDisk, data: bytes) -> None:
    disk.files[FIRST].data = data


def test_written_entries_are_read_again() -> None:
    disk = _written([b"a", b"b"], [b"c"])
    found = _files(disk).recover()

    assert _values(found) == [b"a", b"b", b"c"]
    assert [_files(disk).read(place) for place, _, _ in found.entries] == [
        entry for _, entry, _ in found.entries
    ]
    assert (found.torn_bytes, found.refused) == (0, [])


@given(st.integers(0, 400))
def test_a_file_cut_at_any_byte_keeps_every_whole_block(length: int) -> None:
    disk = _written([b"a"], [b"b"])
    whole = disk.files[FIRST].data
    _change(disk, whole[:length])

    found = _files(disk).recover()

    assert _values(found) in ([], [b"a"], [b"a", b"b"])
    assert found.refused == []
    assert found.torn_bytes == (0 if length >= len(whole) else found.torn_bytes)
    assert _values(_files(disk).recover()) == _values(found)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_before_a_valid_block_is_never_read_as_an_event(at: int, mask: int) -> None:
    disk = _written([b"a"], [b"b"], [b"c"])
    whole = bytearray(disk.files[FIRST].data)
    last = bytes(whole).rindex(b"\xf1BLK")
    whole[at % last] ^= mask
    _change(disk, bytes(whole))

    found = _files(disk).recover()

    assert [each.path.name for each in found.refused] == [f"{FIRST.name}.refused"]
    assert found.entries == []
    assert disk.files[FIRST.with_name(f"{FIRST.name}.refused")].data == bytes(whole)


def test_the_place_of_the_damage_is_named() -> None:
    disk = _written([b"a"], [b"b"])
    data = disk.files[FIRST].data
    first_block = data.index(b"\xf1BLK")
    _change(disk, data.replace(b"\xf1BLK", b"\xf1BLX", 1))

    (refused,) = _files(disk).recover().refused

    assert refused.why == f"it is damaged at byte {first_block}, before entries that are valid"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a foreign file that is long enough", "it is not a file of the spool"),
        (b"short", "it is not a file of the spool"),
        (b"PAYSPOOL" + bytes(18) + b"\x01\x02\x03\x04", "its header is damaged"),
    ],
)
def test_a_foreign_file_is_refused_and_kept(data: bytes, why: str) -> None:
    disk = _written([b"a"])
    _change(disk, data)

    (refused,) = _files(disk).recover().refused

    assert refused.why == why
    assert disk.files[refused.path].data == data


def test_a_refused_file_is_reported_at_every_start() -> None:
    disk = _written([b"a"])
    _change(disk, b"a foreign file that is long enough")
    _files(disk).recover()

    (refused,) = _files(disk).recover().refused

    assert refused.why == "it was refused before"


def test_marks_of_another_segment_of_the_same_name_hide_nothing() -> None:
    disk = SimulatedDisk()
    before = _files(disk, seed=1)
    (place,) = before.commit([_entry(b"a")])
    before.mark(place.segment, [(place.offset, 0)])
    # As a power cut may leave it: the segment is removed, its marks are not.
    del disk.files[FIRST]
    _files(disk, seed=2).commit([_entry(b"b")])

    ((_, _, done),) = _files(disk).recover().entries

    assert done == set()


def test_a_marked_record_is_done_and_a_damaged_mark_is_skipped() -> None:
    disk = SimulatedDisk()
    files = _files(disk)
    places = files.commit([_entry(b"a"), _entry(b"b")])
    files.mark(places[0].segment, [(each.offset, 0) for each in places])
    marks = FIRST.with_suffix(".marks")
    disk.files[marks].data = disk.files[marks].data[:-1] + b"\x00"

    found = _files(disk).recover()

    assert [done for _, _, done in found.entries] == [{0}, set()]


def test_a_segment_with_more_entries_than_were_done_is_not_removed() -> None:
    disk = SimulatedDisk()
    files = _files(disk)
    (place,) = files.commit([_entry(b"a")])
    files.commit([_entry(b"b")])

    assert not files.remove(place.segment, 1)
    assert files.remove(place.segment, 2)
    assert disk.names(FOLDER) == []


def test_nothing_is_appended_to_a_file_whose_sync_failed() -> None:
    disk = _written([b"a"])
    files = _files(disk)
    files.recover()
    (first,) = files.commit([_entry(b"b")])
    disk.failing.add("sync")
    with pytest.raises(OSError, match="No space"):
        files.commit([_entry(b"c")])
    disk.failing.clear()

    (second,) = files.commit([_entry(b"d")])

    assert first.segment != second.segment
    assert [v for v in _values(_files(disk).recover()) if v != b"c"] == [b"a", b"b", b"d"]


def test_a_record_set_aside_is_whole_or_not_there() -> None:
    disk = SimulatedDisk()
    files = _files(disk)
    record = OutgoingRecord("payment", b"key", b"large", [])
    files.set_aside(RecordAside(2.0, "too large", record))
    (path,) = disk.files

    assert codec.decode_aside(disk.files[path].data).record.value == b"large"
    assert files.asides() == 1
    with pytest.raises(codec.SpoolFormatError):
        codec.decode_aside(disk.files[path].data[:-1])


def test_a_block_of_another_segment_is_not_valid() -> None:
    block = codec.encode_block(b"1" * 16, [_entry(b"a")])

    scanned = codec.scan(codec.encode_header(b"2" * 16) + block)

    assert (scanned.entries, scanned.tail) == ([], TailState.TORN)


def test_another_version_is_refused() -> None:
    header = codec.encode_header(b"1" * 16)
    other = header[:8] + b"\x00\x02" + header[10:-4]
    with pytest.raises(codec.SpoolFormatError, match="version 2 of the format"):
        codec.decode_header(other + zlib.crc32(other).to_bytes(4, "big"))
