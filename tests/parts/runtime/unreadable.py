"""Records that Kafka takes and aiokafka's consumer cannot read."""

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
"""The headers of a record with a misnamed one, as they are read."""

_CHECKSUM = 17
"""Where a record batch has its checksum; it is of all that comes behind it."""


async def send_misnamed(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    values: Sequence[bytes],
    misnamed: Sequence[int] = (-1,),
) -> None:
    """Put one batch of records on a partition; some have a header's name that is no UTF-8."""
    batch = producer.create_batch()
    places = {place % len(values) for place in misnamed}
    for place, value in enumerate(values):
        headers = [(_GIVEN.decode(), b"1")] if place in places else []
        batch.append(key=b"key", value=value, timestamp=None, headers=headers)
    batch.close()
    # Nothing public writes what is wrong, so it is made so in what is about to be sent.
    batch._buffer = broken(batch._build())  # noqa: SLF001
    await (await producer.send_batch(batch, topic, partition=partition))


def broken(written: bytes | bytearray) -> bytearray:
    """Break the headers' names in a batch and make the checksum right again."""
    assert len(_GIVEN) == len(_BROKEN)
    return summed(bytearray(bytes(written).replace(_GIVEN, _BROKEN)))


def summed(batch: bytearray) -> bytearray:
    """Make the checksum of a batch right."""
    struct.pack_into(">I", batch, _CHECKSUM, calc_crc32c(bytes(batch[_CHECKSUM + 4 :])))
    return batch


def spoil(broker: Broker, partition: Partition, value: bytes) -> None:
    """Change a value in the broker's log, as a disk might: the checksum of its batch is wrong."""
    if broker.logs is None:
        pytest.skip("the broker's log is out of reach")
    (log,) = (broker.logs / f"{partition.topic}-{partition.number}").glob("*.log")
    with log.open("r+b") as file:
        place = file.read().index(value)
        file.seek(place)
        file.write(bytes([value[0] ^ 0xFF]))
