"""Transactions of a foreign producer on a topic of a feed."""

import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaProducer

from router.contract.event import Event
from tests.parts.runtime.counting import written
from tests.parts.runtime.members import Feed


@contextlib.asynccontextmanager
async def transacting(feed: Feed, name: str = "mirror") -> AsyncIterator[AIOKafkaProducer]:
    """Yield a producer with an open transaction; abort it at the end if it is still open."""
    producer = AIOKafkaProducer(
        bootstrap_servers=feed.broker.bootstrap,
        transactional_id=f"{feed.prefix}{name}",
        transaction_timeout_ms=600_000,
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        yield producer
    finally:
        await producer.stop()


async def put(feed: Feed, producer: AIOKafkaProducer, event: Event, partition: int = 0) -> None:
    """Send an event within the transaction."""
    out = written(event, feed.topic)
    await producer.send_and_wait(feed.topic, out.value, out.key, partition=partition)
