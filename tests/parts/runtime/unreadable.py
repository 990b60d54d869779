"""Records that Kafka accepts and aiokafka's consumer cannot read."""

import struct
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from consumers.runtime.records import Partition
from tests.parts.brokers import Broker

_GIVEN = b"broken-name"
_BROKEN = b"\xff\xfe\xfd\xfc-no-utf"[: len(_GIVEN)]

MISNAMED = [(_BROKEN.decode("utf-8", "surrogateescape"), b"1")]
"""Headers of a record with an invalid header name, as decoded."""

_CHECKSUM = 17
"""Position of the checksum in a record batch; it covers everything after it."""


async def send_misnamed(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    values: Sequence[bytes],
    misnamed: Sequence[int] = (-1,),
) -> None:
    """Send one batch of records to a partition; some have a header name that is not UTF-8."""
    batch = producer.create_batch()
    places = {place % len(values) for place in misnamed}
    for place, value in enumerate(values):
        headers = [(_GIVEN.decode(), b"1")] if place in places else []
        batch.append(key=b"key", value=value, timestamp=None, headers=headers)
    batch.close()
    # No public API writes invalid records, so the finished batch is changed before it is sent.
    batch._buffer = broken(batch._build())  # noqa: SLF001
    await (await producer.send_batch(batch, topic, partition=partition))


def broken(written: bytes | bytearray) -> bytearray:
    """Corrupt the header names in a batch and recompute the checksum."""
    assert len(_GIVEN) == len(_BROKEN)
    return summed(bytearray(bytes(written).replace(_GIVEN, _BROKEN)))


def summed(batch: bytearray) -> bytearray:
    """Recompute the checksum of a batch."""
    struct.pack_into(">I", batch, _CHECKSUM, calc_crc32c(bytes(batch[_CHECKSUM + 4 :])))
    return batch


def spoil(broker: Broker, partition: Partition, value: bytes) -> None:
    """Change a value in the broker's log, as a faulty disk might: the checksum becomes wrong."""
    if broker.logs is None:
        pytest.skip("the broker's log files are not accessible")
    (log,) = (broker.logs / f"{partition.topic}-{partition.number}").glob("*.log")
    with log.open("r+b") as file:
        place = file.read().index(value)
        file.seek(place)
        file.write(bytes([value[0] ^ 0xFF]))
