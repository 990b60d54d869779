"""A refused batch gives back its sequence numbers if that is safe."""

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)

from router.broker.adapter.private import give_back_sequences
from router.broker.refusals import is_refusal

PARTITION = TopicPartition("payment", 0)


async def _numbered() -> AIOKafkaProducer:
    """Make a producer that has a producer id but was never started."""
    producer = AIOKafkaProducer(enable_idempotence=True, bootstrap_servers="127.0.0.1:9")
    give_back_sequences(producer, is_refusal)
    producer._txn_manager.set_pid_and_epoch(1, 0)  # noqa: SLF001 - as a broker does
    return producer


async def _batch(producer: AIOKafkaProducer) -> object:
    """Take a batch of two records from the queue, like the sender."""
    accumulator = producer._message_accumulator  # noqa: SLF001 - the part that is changed
    for _ in range(2):
        future = await accumulator.add_message(PARTITION, b"k", b"v", 1)
        future.add_done_callback(lambda each: each.exception())
    return accumulator._pop_batch(PARTITION)  # noqa: SLF001 - as above


def _number(producer: AIOKafkaProducer) -> int:
    return int(producer._txn_manager.sequence_number(PARTITION))  # noqa: SLF001 - as above


@pytest.mark.parametrize("error", [MessageSizeTooLargeError(), TopicAuthorizationFailedError()])
async def test_numbers_of_a_refused_batch_are_used_again(error: Exception) -> None:
    producer = await _numbered()
    batch = await _batch(producer)
    taken = _number(producer)
    batch.failure(exception=error)  # type: ignore[attr-defined] # aiokafka is untyped

    assert taken == 2
    assert _number(producer) == 0
    await producer.stop()


async def test_numbers_of_a_batch_that_may_have_been_written_are_not_used_again() -> None:
    producer = await _numbered()
    (batch) = await _batch(producer)
    # The first attempt had no answer. The broker would drop another batch with these numbers.
    producer._message_accumulator.reenqueue(batch)  # noqa: SLF001 - as the sender does
    again = producer._message_accumulator._pop_batch(PARTITION)  # noqa: SLF001 - as above
    again.failure(exception=MessageSizeTooLargeError())

    assert again is batch
    assert _number(producer) == 2
    await producer.stop()


async def test_numbers_of_a_batch_with_unknown_result_are_not_used_again() -> None:
    producer = await _numbered()
    batch = await _batch(producer)
    batch.failure(exception=OutOfOrderSequenceNumber())  # type: ignore[attr-defined] # as above

    assert _number(producer) == 2
    await producer.stop()
