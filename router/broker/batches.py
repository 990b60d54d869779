"""Heads of record batches, read from the bytes of a fetch.

A consumer's records do not show what was skipped: control records, records of
aborted transactions, and what compaction removed. The heads of the batches do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c

_OPENING = Struct(">qiib")
"""Base offset, length of what follows it, leader epoch, format. The same place in every format."""
_REST = Struct(">Ihiqqqhii")
"""CRC, attributes, last offset delta, two timestamps, producer (id, epoch, sequence), count."""
_LENGTH_FROM = 12
_CRC_FROM = 21
_CODEC = 0x07
_TRANSACTIONAL = 0x10
_CONTROL = 0x20
_FORMAT = 2
_NOT_SAID = -1


@dataclass(frozen=True)
class BatchHead:
    """What the head of one batch says."""

    base_offset: int
    last_offset: int
    """Also of a batch whose last records were removed by compaction."""
    leader_epoch: int
    """Of the leader that wrote it; -1 if unknown."""
    producer_id: int
    """-1 if the producer was not idempotent."""
    codec: int
    """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
    control: bool
    """Whether it ends a transaction, and holds nothing for a reader."""
    transactional: bool
    record_count: int
    """How many records it still holds."""


def heads(data: bytes) -> Sequence[BatchHead]:
    """Read the heads of all whole batches; the last one of an answer may be cut off.

    Raises CorruptRecordException if a batch does not match its checksum.
    """
    return list(_heads(data))


def _heads(data: bytes) -> Iterator[BatchHead]:
    view, at = memoryview(data), 0
    while len(data) - at >= _OPENING.size:
        base, length, epoch, kind = _OPENING.unpack_from(data, at)
        after = at + _LENGTH_FROM + length
        if length <= 0 or after > len(data):
            break
        yield _head(view[at:after], base, epoch) if kind == _FORMAT else _older(base)
        at = after


def _head(batch: memoryview, base: int, epoch: int) -> BatchHead:
    if len(batch) < _OPENING.size + _REST.size:
        message = f"batch at offset {base}: too short"
        raise CorruptRecordException(message)
    crc, attributes, last, _, _, producer, _, _, count = _REST.unpack_from(batch, _OPENING.size)
    if crc != calc_crc32c(batch[_CRC_FROM:]):
        message = f"batch at offset {base}: its bytes do not match its checksum"
        raise CorruptRecordException(message)
    return BatchHead(
        base_offset=base,
        last_offset=base + last,
        leader_epoch=epoch,
        producer_id=producer,
        codec=attributes & _CODEC,
        control=bool(attributes & _CONTROL),
        transactional=bool(attributes & _TRANSACTIONAL),
        record_count=count,
    )


def _older(offset: int) -> BatchHead:
    """Describe a message of before Kafka 0.11 by what concerns us: no transaction wrote it."""
    return BatchHead(
        base_offset=offset,
        last_offset=offset,
        leader_epoch=_NOT_SAID,
        producer_id=_NOT_SAID,
        codec=0,
        control=False,
        transactional=False,
        record_count=1,
    )
