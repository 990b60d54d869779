"""Reads records that aiokafka's consumer cannot: those with a header name that is not UTF-8.

Because of one such name, the consumer raises for that record and for all later
records of its batch, even from other senders. This reader fetches the bytes again
and parses them with aiokafka's pure Python reader, with one difference: invalid
UTF-8 in a header name becomes lone surrogates, so that nothing is lost. Any other
damage to a batch is an error here too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy

from router.broker.adapter.private import KafkaClient
from router.broker.log.codecs import codec_missing
from router.broker.log.raw_fetch import fetch_raw

ANSWER_SECONDS = 10.0
ASKED_BYTES = 1024 * 1024
"""The broker returns the first batch complete, even if it is larger."""

_LENGTH = slice(8, 12)
_HEAD_BYTES = 12
_MAGIC = 16
_BEGAN = slice(27, 35)


@dataclass(frozen=True)
class RereadRecords:
    """Records in order, the next offset to read, and the error that the record there raised.

    `began` is the timestamp of the first batch's first record, in milliseconds. It is
    set even if none of the batch's records can be read.
    """

    records: Sequence[Any]
    next_offset: int
    problem: Exception | None
    began: int | None = None


async def reread_records(
    consumer: KafkaClient,
    partition: TopicPartition,
    offset: int,
    most: int,
    asked_bytes: int = ASKED_BYTES,
) -> RereadRecords:
    """Read up to `most` records, starting at `offset`.

    Raises KafkaError or TimeoutError if the broker does not return the bytes.
    """
    raw = await fetch_raw(
        consumer, partition, offset, asked_bytes=asked_bytes, seconds=ANSWER_SECONDS
    )
    return read(partition, raw.data, raw.aborted, offset, most)


def read(
    partition: TopicPartition,
    data: bytes,
    aborted: Sequence[tuple[int, int]] | None,
    offset: int,
    most: int,
) -> RereadRecords:
    """Read records from a broker's answer, without those of aborted transactions."""
    reader = PartitionRecords(
        partition,
        _Batches(data),
        aborted,
        offset,
        key_deserializer=None,
        value_deserializer=None,
        check_crcs=True,
        isolation_level=READ_COMMITTED,
    )
    records: list[Any] = []
    problem: Exception | None = None
    try:
        records.extend(islice(reader, most))
    except Exception as error:  # noqa: BLE001 - a damaged record may raise anything
        problem = error
    return RereadRecords(records, reader.next_fetch_offset, problem, _number(data, _BEGAN))


def _number(data: bytes, place: slice) -> int | None:
    """Read a number from the head of the first batch; None if the answer is too short."""
    return None if len(data) < place.stop else int.from_bytes(data[place], "big", signed=True)


class _Batches:
    """The batches of a broker's answer, in the interface that aiokafka's reader expects."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def has_next(self) -> bool:
        """Return whether a complete batch is left; the last one of an answer may be cut off."""
        return len(self._rest) > _MAGIC and len(self._rest) >= self._size()

    def next_batch(self) -> "_Batch":
        """Remove the next batch and return it."""
        size = self._size()
        batch, self._rest = self._rest[:size], self._rest[size:]
        if batch[_MAGIC] != 2:  # noqa: PLR2004 - the only format since Kafka 0.11
            message = f"record format {batch[_MAGIC]}"
            raise CorruptRecordException(message)
        return _Batch(batch)

    def _size(self) -> int:
        return _HEAD_BYTES + int.from_bytes(self._rest[_LENGTH], "big")


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc] # aiokafka is untyped
    """A batch whose texts are decoded leniently."""

    _buffer: bytearray

    def __iter__(self) -> Iterator[Any]:
        """Decompress, then decode leniently. Raises UnsupportedCodecError."""
        try:
            super().__iter__()
        except UnsupportedCodecError as error:
            raise codec_missing(self.compression_type, error) from error
        self._buffer = _Lenient(self._buffer)
        return self


class _Lenient(bytearray):
    """Bytes that always decode: invalid UTF-8 becomes lone surrogates."""

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - an index or a slice
        found = super().__getitem__(place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        """Decode without loss."""
        return super().decode(encoding, errors)
