"""Format of the spool's files.

A segment is a header and then blocks. A block is what one `fsync` made durable: the next block is
written only afterwards. So an incomplete block at the end of a segment is a write that was never
confirmed to anybody, and an invalid block before a valid one is damage. Numbers are big-endian.

    segment  = magic, version, id of the segment, checksum
    block    = magic, length, checksum, then entries
    entry    = length, checksum, then MessagePack: moment of arrival, records
    marks    = the segment's header again, then one mark for each record that is done with
    mark     = offset of the entry, index of the record in it, checksum
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from router.contract.wire import OutgoingRecord

VERSION = 1
_MAGIC, _BLOCK_MAGIC, _ASIDE_MAGIC = b"PAYSPOOL", b"\xf1BLK", b"PAYASIDE"
_HEADER = struct.Struct(">8sH16sI")
_BLOCK = struct.Struct(">4sII")
_ENTRY = struct.Struct(">II")
_MARK = struct.Struct(">QII")
_ASIDE = struct.Struct(">8sI")
HEADER_BYTES, BLOCK_BYTES, ENTRY_BYTES, MARK_BYTES = (
    each.size for each in (_HEADER, _BLOCK, _ENTRY, _MARK)
)


class SpoolFormatError(Exception):
    """A file is not of the spool, of another version, or damaged; the message has the reason."""


class TailState(StrEnum):
    """What follows the last valid block of a segment."""

    WHOLE = "whole"
    """Nothing."""
    TORN = "torn"
    """A write that was not completed, and so was never confirmed."""
    CORRUPT = "corrupt"
    """Damage: a valid block follows."""


class SpoolEntry(msgspec.Struct, frozen=True, array_like=True):
    """The records of one delivery; `arrived` is in seconds of Unix time."""

    arrived: float
    records: tuple[OutgoingRecord, ...]


class RecordAside(msgspec.Struct, frozen=True, array_like=True):
    """A record that the broker refuses for good, since when in seconds of Unix time, and why."""

    since: float
    reason: str
    record: OutgoingRecord


@dataclass(frozen=True)
class EntryPlace:
    """Place of an entry: the path of its segment, its offset and its length in bytes."""

    segment: str
    offset: int
    length: int


@dataclass(frozen=True)
class Scan:
    """The entries of a segment with their offsets, and how the segment ends.

    `end` is the end of the last block before the first invalid one, in bytes.
    """

    entries: Sequence[tuple[int, int, SpoolEntry]]
    """Offset and length of each entry, in bytes, and the entry."""
    end: int
    tail: TailState


_to_entry = msgspec.msgpack.Decoder(SpoolEntry)
_to_aside = msgspec.msgpack.Decoder(RecordAside)
_encoder = msgspec.msgpack.Encoder()


def encode_header(segment_id: bytes) -> bytes:
    """Return the header of a segment; its id has 16 bytes."""
    head = _HEADER.pack(_MAGIC, VERSION, segment_id, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "big")


def decode_header(data: bytes) -> bytes:
    """Return the id in a segment's header; raises SpoolFormatError."""
    if len(data) < HEADER_BYTES or data[:8] != _MAGIC:
        message = "it is not a file of the spool"
        raise SpoolFormatError(message)
    _, version, segment_id, checksum = _HEADER.unpack_from(data)
    if zlib.crc32(data[: HEADER_BYTES - 4]) != checksum:
        message = "its header is damaged"
        raise SpoolFormatError(message)
    if version != VERSION:
        message = f"it has version {version} of the format, this process reads {VERSION}"
        raise SpoolFormatError(message)
    return bytes(segment_id)


def is_torn_header(data: bytes) -> bool:
    """Return whether a segment ends within its header: not even that was completed."""
    written = data.rstrip(b"\0")
    return len(written) < HEADER_BYTES and _MAGIC.startswith(written[:8]) and not _is_header(data)


def _is_header(data: bytes) -> bool:
    try:
        decode_header(data)
    except SpoolFormatError:
        return False
    return True


def encode_entry(entry: SpoolEntry) -> bytes:
    """Return an entry with its length and its checksum."""
    body = _encoder.encode(entry)
    return _ENTRY.pack(len(body), zlib.crc32(body)) + body


def decode_entry(data: bytes) -> SpoolEntry:
    """Return the entry at the beginning of the data; raises SpoolFormatError."""
    message = "an entry is damaged"
    if len(data) < ENTRY_BYTES:
        raise SpoolFormatError(message)
    length, checksum = _ENTRY.unpack_from(data)
    body = data[ENTRY_BYTES : ENTRY_BYTES + length]
    if len(body) < length or zlib.crc32(body) != checksum:
        raise SpoolFormatError(message)
    try:
        return _to_entry.decode(body)
    except msgspec.MsgspecError:
        raise SpoolFormatError(message) from None


def encode_block(segment_id: bytes, entries: Sequence[bytes]) -> bytes:
    """Return a block of encoded entries; it is valid in the segment with this id only."""
    payload = b"".join(entries)
    checksum = zlib.crc32(payload, zlib.crc32(segment_id))
    return _BLOCK.pack(_BLOCK_MAGIC, len(payload), checksum) + payload


def scan(data: bytes) -> Scan:
    """Read a whole segment; raises SpoolFormatError if its header is not one."""
    segment_id = decode_header(data)
    entries: list[tuple[int, int, SpoolEntry]] = []
    end = HEADER_BYTES
    while (length := _valid_block(data, end, segment_id)) is not None:
        entries += _entries(data, end + BLOCK_BYTES, end + length)
        end += length
    if end == len(data):
        return Scan(entries, end, TailState.WHOLE)
    damaged = any(_later_blocks(data, end, segment_id))
    return Scan(entries, end, TailState.CORRUPT if damaged else TailState.TORN)


def _valid_block(data: bytes, at: int, segment_id: bytes) -> int | None:
    """Return the length of the valid block at an offset, None if there is none."""
    if len(data) < at + BLOCK_BYTES:
        return None
    magic, length, checksum = _BLOCK.unpack_from(data, at)
    payload = data[at + BLOCK_BYTES : at + BLOCK_BYTES + length]
    if magic != _BLOCK_MAGIC or len(payload) < length:
        return None
    valid = zlib.crc32(payload, zlib.crc32(segment_id)) == checksum
    return BLOCK_BYTES + length if valid else None


def _later_blocks(data: bytes, after: int, segment_id: bytes) -> Iterator[bool]:
    at = data.find(_BLOCK_MAGIC, after + 1)
    while at >= 0:
        yield _valid_block(data, at, segment_id) is not None
        at = data.find(_BLOCK_MAGIC, at + 1)


def _entries(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, SpoolEntry]]:
    while start < end:
        length = ENTRY_BYTES + _ENTRY.unpack_from(data, start)[0]
        yield start, length, decode_entry(data[start : start + length])
        start += length


def encode_mark(offset: int, index: int) -> bytes:
    """Return the mark of a record that is done with."""
    mark = _MARK.pack(offset, index, 0)[:-4]
    return mark + zlib.crc32(mark).to_bytes(4, "big")


def decode_marks(data: bytes, segment_id: bytes) -> set[tuple[int, int]]:
    """Return offset and index of every valid mark; none if the marks are of another segment.

    An invalid mark is skipped: its record is published again, which its event id makes harmless.
    """
    if data[:HEADER_BYTES] != encode_header(segment_id):
        return set()
    found = set()
    for at in range(HEADER_BYTES, len(data) - MARK_BYTES + 1, MARK_BYTES):
        offset, index, checksum = _MARK.unpack_from(data, at)
        if zlib.crc32(data[at : at + MARK_BYTES - 4]) == checksum:
            found.add((offset, index))
    return found


def encode_aside(aside: RecordAside) -> bytes:
    """Return the file of a record that is set aside."""
    body = _encoder.encode(aside)
    return _ASIDE.pack(_ASIDE_MAGIC, zlib.crc32(body)) + body


def decode_aside(data: bytes) -> RecordAside:
    """Return the record of a file; raises SpoolFormatError."""
    message = "it has no record that was set aside, or it is damaged"
    if len(data) < _ASIDE.size:
        raise SpoolFormatError(message)
    magic, checksum = _ASIDE.unpack_from(data)
    body = data[_ASIDE.size :]
    if magic != _ASIDE_MAGIC or zlib.crc32(body) != checksum:
        raise SpoolFormatError(message)
    try:
        return _to_aside.decode(body)
    except msgspec.MsgspecError:
        raise SpoolFormatError(message) from None
