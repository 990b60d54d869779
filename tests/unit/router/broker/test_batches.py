"""A batch that was passed to a producer accepts records until the producer takes it."""

import asyncio

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from router.broker.adapter.private import close_taken_batches

PARTITION = TopicPartition("payment", 0)


def _append(batch: BatchBuilder) -> bool:
    return batch.append(timestamp=None, key=b"k", value=b"v", headers=[]) is not None


async def test_records_are_accepted_until_the_batch_is_taken_and_all_are_numbered() -> None:
    producer = AIOKafkaProducer(enable_idempotence=True, bootstrap_servers="127.0.0.1:9")
    close_taken_batches(producer)
    numbers = producer._txn_manager  # noqa: SLF001 - as a broker and the sender use it
    numbers.set_pid_and_epoch(1, 0)
    accumulator = producer._message_accumulator  # noqa: SLF001 - as above
    batch = producer.create_batch()
    first = _append(batch)
    answer = await accumulator.add_batch(batch, PARTITION, 1)
    queued = _append(batch)
    taken = accumulator._pop_batch(PARTITION)  # noqa: SLF001 - as above
    late = _append(batch)
    await asyncio.sleep(0)
    encoded = taken.get_data_buffer()

    assert (first, queued, late) == (True, True, False)
    assert numbers.sequence_number(PARTITION) == 2
    assert batch.record_count() == 2
    assert int.from_bytes(encoded[57:61], "big") == 2
    taken.done(0)
    assert (await answer).offset == 0
    await producer.stop()
