"""Reads the heads of record batches from the bytes of a fetch.

A consumer does not return control records, records of aborted transactions, or
records that compaction removed. The heads of the batches show which is which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c

_OPENING = Struct(">qiib")
"""Base offset, remaining length, leader epoch, format: at the same place in every format."""
_REST = Struct(">Ihiqqqhii")
"""CRC, attributes, last offset delta, two timestamps, producer (id, epoch, sequence), count."""
_LENGTH_FROM = 12
_CRC_FROM = 21
_CODEC = 0x07
_TRANSACTIONAL = 0x10
_CONTROL = 0x20
_FORMAT = 2
_NO_PRODUCER = -1


@dataclass(frozen=True)
class BatchHead:
    """The head of one record batch."""

    base_offset: int
    last_offset: int
    """As written, even if compaction has removed the last records."""
    producer_id: int
    """-1 if the producer was not idempotent."""
    codec: int
    """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
    control: bool
    """Whether it holds the marker that ends a transaction, and no record for a reader."""
    transactional: bool
    record_count: int
    """Records that are still in the batch."""


def heads(data: bytes, until: int | None = None) -> Sequence[BatchHead]:
    """Read the heads of all complete batches; the last one of an answer may be cut off.

    With `until`, reading ends with the first batch that begins at or after that
    offset. Its checksum is not verified: that is left to the reader of that batch.
    Raises CorruptRecordException if any other batch does not match its checksum.
    """
    found: list[BatchHead] = []
    for head in _heads(data, until):
        found.append(head)
        if until is not None and head.base_offset >= until:
            break
    return found


def _heads(data: bytes, until: int | None) -> Iterator[BatchHead]:
    view, at = memoryview(data), 0
    while len(data) - at >= _OPENING.size:
        base, length, _epoch, kind = _OPENING.unpack_from(data, at)
        after = at + _LENGTH_FROM + length
        if length <= 0 or after > len(data):
            break
        checked = until is None or base < until
        yield _head(view[at:after], base, checked=checked) if kind == _FORMAT else _older(base)
        at = after


def _head(batch: memoryview, base: int, *, checked: bool) -> BatchHead:
    if len(batch) < _OPENING.size + _REST.size:
        message = f"batch at offset {base}: too short"
        raise CorruptRecordException(message)
    crc, attributes, last, _, _, producer, _, _, count = _REST.unpack_from(batch, _OPENING.size)
    if checked and crc != calc_crc32c(batch[_CRC_FROM:]):
        message = f"batch at offset {base}: its bytes do not match its checksum"
        raise CorruptRecordException(message)
    return BatchHead(
        base_offset=base,
        last_offset=base + last,
        producer_id=producer,
        codec=attributes & _CODEC,
        control=bool(attributes & _CONTROL),
        transactional=bool(attributes & _TRANSACTIONAL),
        record_count=count,
    )


def _older(offset: int) -> BatchHead:
    """Return the head of a message in a format older than Kafka 0.11, without transactions."""
    return BatchHead(
        base_offset=offset,
        last_offset=offset,
        producer_id=_NO_PRODUCER,
        codec=0,
        control=False,
        transactional=False,
        record_count=1,
    )
