"""Publishes the outbox: at least once, in order, by one process of a consumer at a time."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from faststream.kafka.security import parse_security
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime import outbox
from consumers.runtime.outbox import Outgoing
from consumers.runtime.store import transaction_of
from consumers.runtime.tables import RuntimeTables
from router.broker.pacing import paced

BATCH = 100
STOP_SECONDS = 3.0
LARGEST_BYTES = 64 * 1024 * 1024
"""The topic decides what is too large, not the client."""

_REFUSED = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError)
"""What the broker says of a record that it will never take."""

MakeProducer = Callable[[], AIOKafkaProducer]


def relay_producer(
    kafka: Mapping[str, Any], renewed: Callable[[Any], None] = lambda _client: None
) -> AIOKafkaProducer:
    """Make a producer that loses nothing and keeps the order; `renewed` as in ConsumerSettings."""
    options = dict(kafka)
    security = parse_security(options.pop("security", None))
    producer = AIOKafkaProducer(
        **{"request_timeout_ms": 10_000, **options},
        **security,
        acks="all",
        enable_idempotence=True,
        max_request_size=LARGEST_BYTES,
    )
    renewed(producer.client)
    return paced(producer)


class Relay:
    """Sends what waits. The producer is made when something does."""

    def __init__(
        self, engine: AsyncEngine, tables: RuntimeTables, make: MakeProducer, seconds: float
    ) -> None:
        """Remember what to work with; `seconds` is how long the broker may take for a batch."""
        self._engine = engine
        self._tables = tables
        self._make = make
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None

    async def send_waiting(self) -> int:
        """Send up to a batch and return how many; 0 where another process is at it.

        Raises KafkaError or TimeoutError where the broker does not take them:
        they stay, and the producer is replaced.
        """
        async with transaction_of(self._engine) as transaction:
            if not await self._is_the_one(transaction):
                return 0
            found = await outbox.waiting(transaction, self._tables, BATCH)
            if found:
                await self._send(transaction, found)
            return len(found)

    async def stop(self) -> None:
        """Stop the producer, within bounds."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # Whatever comes of it, this producer is not asked for anything any more.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)

    async def _is_the_one(self, transaction: AsyncConnection) -> bool:
        name = f"payrouter relay {self._tables.metadata.schema}"
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))
        return bool(await transaction.scalar(select(lock)))

    async def _send(
        self, transaction: AsyncConnection, found: Sequence[tuple[int, Outgoing]]
    ) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                answers = await self._acknowledged([each for _, each in found])
        except BaseException:
            await self.stop()
            raise
        pairs = list(zip(found, answers, strict=True))
        refused = [(n, error) for (n, _), error in pairs if isinstance(error, _REFUSED)]
        for number, error in refused:
            await outbox.refuse(transaction, self._tables, number, type(error).__name__)
        if refused:
            # What it sent behind that is out of sequence: it stays, for another producer.
            await self.stop()
        done = [n for (n, _), error in pairs if error is None]
        await outbox.sent(transaction, self._tables, done)

    async def _acknowledged(self, outgoing: Sequence[Outgoing]) -> Sequence[BaseException | None]:
        """Send, and return the error of each record, None for what the broker has.

        Raises one of them where nothing was refused for good: it may pass.
        """
        if self._producer is None:
            self._producer = self._make()
            await self._producer.start()
        futures = [await self._hand_over(self._producer, each) for each in outgoing]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        errors = [each if isinstance(each, BaseException) else None for each in answers]
        failures = [error for error in errors if error is not None]
        if failures and not any(isinstance(error, _REFUSED) for error in failures):
            raise failures[0]
        return errors

    async def _hand_over(self, producer: AIOKafkaProducer, each: Outgoing) -> Any:  # noqa: ANN401
        try:
            if each.key is None and each.value is None:
                return await _hand_over_empty(producer, each)
            return await producer.send(
                each.topic, each.value, key=each.key, headers=list(each.headers)
            )
        except _REFUSED as error:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused


async def _hand_over_empty(producer: AIOKafkaProducer, each: Outgoing) -> Any:  # noqa: ANN401
    """Send a record without key and value, which aiokafka only takes as a batch."""
    batch = producer.create_batch()
    batch.append(key=None, value=None, timestamp=None, headers=list(each.headers))
    batch.close()
    partitions = await producer.partitions_for(each.topic)
    return await producer.send_batch(batch, each.topic, partition=min(partitions))
