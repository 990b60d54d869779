"""Makes, stops and uses idempotent producers in ways that aiokafka alone does not support."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from router.broker.adapter.private import close_taken_batches, cut_off, give_back_sequences
from router.broker.client import make_producer
from router.broker.connection import KafkaConnection
from router.broker.pacing import paced
from router.broker.partitioner import partition_of
from router.broker.refusals import is_refusal

REQUEST_MILLISECONDS = 10_000
"""How long the broker may take to answer one request."""

_END_SECONDS = 1.0
"""How long `stop` may take after the last record was acknowledged or dropped."""


def make_durable_producer(kafka: KafkaConnection, **options: Any) -> AIOKafkaProducer:  # noqa: ANN401 - aiokafka's
    """Make a producer that loses no record, keeps their order and survives refusals.

    It waits for all in-sync replicas, and pauses while a topic has no leader. A batch passed to its
    `send_batch` accepts records until it is sent.
    """
    producer = make_producer(
        kafka,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=REQUEST_MILLISECONDS,
        **options,
    )
    give_back_sequences(producer, is_refusal)
    close_taken_batches(producer)
    return paced(producer)


async def stop_within(producer: AIOKafkaProducer, seconds: float) -> None:
    """Stop a producer once all its records are acknowledged, or after `seconds`.

    Leaves no task and no connection open, even if the broker does not answer.
    """
    stopping = asyncio.create_task(producer.stop())
    try:
        await asyncio.wait({stopping}, timeout=seconds)
    finally:
        if not stopping.done() or stopping.exception() is not None:
            await cut_off(producer)
            await asyncio.wait({stopping}, timeout=_END_SECONDS)


async def send_alone(
    producer: AIOKafkaProducer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> Any:  # noqa: ANN401 - a future of aiokafka
    """Send a record in a separate batch; return the future of its acknowledgement.

    If the broker refuses the batch, it refuses this record. The partition is the
    one that `send` chooses for the key; a record without a key goes to the first one.
    """
    batch = producer.create_batch()
    batch.append(key=key, value=value, timestamp=None, headers=list(headers))
    batch.close()
    partitions = sorted(await producer.partitions_for(topic))
    partition = partitions[0] if key is None else partition_of(key, partitions)
    return await producer.send_batch(batch, topic, partition=partition)
