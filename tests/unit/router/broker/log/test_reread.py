"""Records that aiokafka's consumer refuses are read from the bytes; damaged ones are not."""

import gzip
import struct
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from router.broker.log.reread import read
from tests.parts.runtime.unreadable import MISNAMED, broken, summed

HERE = TopicPartition("payment", 0)
_RECORDS = 61
"""Offset of the records within a batch."""


def batch(first: int, values: Sequence[bytes], *, producer: int = -1, open_: bool = False) -> bytes:
    """Build a batch whose records each have an undecodable header name."""
    builder = DefaultRecordBatchBuilder(2, 0, int(open_), producer, 0, 0, 1 << 20)
    for place, value in enumerate(values):
        builder.append(place, 1000 + place, b"key", value, [("broken-name", b"1")])
    data = broken(builder.build())
    struct.pack_into(">q", data, 0, first)
    return bytes(data)


def gzipped(data: bytes) -> bytes:
    """Compress a batch like a producer."""
    packed = bytearray(data[:_RECORDS] + gzip.compress(data[_RECORDS:]))
    struct.pack_into(">i", packed, 8, len(packed) - 12)
    packed[22] |= 1
    return bytes(summed(packed))


@pytest.mark.parametrize("data", [batch(5, [b"a", b"b"]), gzipped(batch(5, [b"a", b"b"]))])
def test_header_names_that_are_not_utf8_are_read_without_loss(data: bytes) -> None:
    seen = read(HERE, data, None, 5, 100)
    found = [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in seen.records]
    assert found == [(5, 1000, b"key", b"a", MISNAMED), (6, 1001, b"key", b"b", MISNAMED)]
    assert (seen.next_offset, seen.problem) == (7, None)


def test_reading_starts_at_the_offset_and_ends_at_the_limit() -> None:
    data = batch(5, [b"a", b"b"]) + batch(7, [b"c", b"d"])
    seen = read(HERE, data, None, 6, 2)
    assert [record.value for record in seen.records] == [b"b", b"c"]
    assert (seen.next_offset, seen.problem) == (8, None)


def test_truncated_batch_is_left_for_the_next_answer() -> None:
    whole = batch(5, [b"a"])
    for cut in (batch(6, [b"b"])[:-1], b"\0" * 11, b""):
        seen = read(HERE, whole + cut, None, 5, 100)
        assert ([r.value for r in seen.records], seen.next_offset) == ([b"a"], 6)


def test_records_of_an_aborted_transaction_are_skipped() -> None:
    data = batch(5, [b"a", b"b"], producer=7, open_=True) + batch(7, [b"c"])
    seen = read(HERE, data, [(7, 5)], 5, 100)
    assert [record.value for record in seen.records] == [b"c"]
    whole = read(HERE, data, [], 5, 100)
    assert [record.value for record in whole.records] == [b"a", b"b", b"c"]


def test_damaged_record_is_an_error_and_earlier_records_are_returned() -> None:
    damaged = bytearray(batch(6, [b"secret"]))
    damaged[-1] ^= 0xFF
    seen = read(HERE, batch(5, [b"a"]) + bytes(damaged), None, 5, 100)
    assert ([r.value for r in seen.records], seen.next_offset) == ([b"a"], 6)
    assert "Invalid CRC" in str(seen.problem)


def test_older_record_format_is_an_error() -> None:
    old = bytearray(batch(5, [b"a"]))
    old[16] = 1
    seen = read(HERE, bytes(old), None, 5, 100)
    assert (seen.records, str(seen.problem)) == (
        [],
        "[Error 2] CorruptRecordException: record format 1",
    )
