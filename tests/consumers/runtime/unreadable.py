"""Records that Kafka takes and aiokafka cannot read: a header name that is no UTF-8."""

import struct
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

_GIVEN = b"broken-name"
_BROKEN = b"\xff\xfe\xfd\xfc-no-utf"[: len(_GIVEN)]

_CHECKSUM = 17
"""Where a record batch has its checksum; it is of all that comes behind it."""


async def send_unreadable(
    producer: AIOKafkaProducer, topic: str, partition: int, values: Sequence[bytes]
) -> None:
    """Put one batch of records on a partition, the last of which has such a header."""
    batch = producer.create_batch()
    for number, value in enumerate(values, start=1):
        headers = [(_GIVEN.decode(), b"1")] if number == len(values) else []
        batch.append(key=b"key", value=value, timestamp=None, headers=headers)
    batch.close()
    # Nothing public writes what is wrong, so it is made so in what is about to be sent.
    batch._buffer = _broken(batch._build())  # noqa: SLF001
    await (await producer.send_batch(batch, topic, partition=partition))


def _broken(written: bytearray) -> bytearray:
    """Break the header's name and make the checksum right again."""
    assert len(_GIVEN) == len(_BROKEN)
    buffer = bytearray(bytes(written).replace(_GIVEN, _BROKEN))
    struct.pack_into(">I", buffer, _CHECKSUM, calc_crc32c(bytes(buffer[_CHECKSUM + 4 :])))
    return buffer
