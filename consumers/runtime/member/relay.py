"""Publishes the outbox: at least once, in order, from one process of a consumer at a time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply import outbox
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.tables import RuntimeTables
from router.broker.connection import KafkaConnection
from router.broker.producers import make_durable_producer, send_alone, stop_within
from router.broker.refusals import About, about

BATCH = 100
STOP_SECONDS = 3.0
LARGEST_BYTES = 64 * 1024 * 1024
"""So large that the topic's limit decides what is too large, not the client's."""

ASIDE_SECONDS = 10.0
"""How long a failing topic is skipped, so that the others are sent."""

MakeProducer = Callable[[], AIOKafkaProducer]


def relay_producer(kafka: KafkaConnection) -> AIOKafkaProducer:
    """Make a producer that loses nothing and keeps the order."""
    return make_durable_producer(kafka, max_request_size=LARGEST_BYTES)


@dataclass(frozen=True)
class _SendResult:
    """Result of sending a batch: numbers to delete, refused numbers with errors, a failure."""

    done: Sequence[int]
    refused: Mapping[int, str]
    failure: BaseException | None


class Relay:
    """Sends the records of the outbox. The producer is made when there is one to send.

    A failing topic does not delay the others.
    """

    def __init__(
        self, engine: AsyncEngine, tables: RuntimeTables, make: MakeProducer, seconds: float
    ) -> None:
        """Connect to nothing yet; `seconds` is how long the broker may take for a batch."""
        self._engine = engine
        self._tables = tables
        self._make = make
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None
        self._aside: dict[str, float] = {}

    async def send_waiting(self) -> int:
        """Send up to a batch and return how many were settled; 0 if another process is sending.

        Raises KafkaError or TimeoutError if the broker does not accept some of them:
        those stay in the outbox, and acknowledged ones are deleted.
        """
        async with transaction_of(self._engine) as transaction:
            if not await self._try_lock(transaction):
                return 0
            found = await outbox.read_unsent(transaction, self._tables, BATCH, self._topics_aside())
            if not found:
                return 0
            sent = await self._send(found)
            for number, error in sent.refused.items():
                await outbox.set_aside(transaction, self._tables, number, error)
            await outbox.delete_sent(transaction, self._tables, sent.done)
        if sent.failure is not None:
            raise sent.failure
        return len(sent.done) + len(sent.refused)

    async def stop(self) -> None:
        """Stop the producer, within a time-out."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # Even if stopping fails, this producer is not used again.
            with contextlib.suppress(Exception):
                await stop_within(producer, STOP_SECONDS)

    async def _try_lock(self, transaction: AsyncConnection) -> bool:
        name = f"payrouter relay {self._tables.metadata.schema}"
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))
        return bool(await transaction.scalar(select(lock)))

    def _topics_aside(self) -> Sequence[str]:
        now = time.monotonic()
        self._aside = {topic: until for topic, until in self._aside.items() if now < until}
        return list(self._aside)

    async def _send(self, found: Sequence[tuple[int, Outgoing]]) -> _SendResult:
        try:
            async with asyncio.timeout(self._seconds):
                if self._producer is None:
                    self._producer = self._make()
                    await self._producer.start()
                errors = await self._send_all(self._producer, found)
                return await self._sort_results(self._producer, found, errors)
        except BaseException:
            await self.stop()
            raise

    async def _send_all(
        self, producer: AIOKafkaProducer, found: Sequence[tuple[int, Outgoing]]
    ) -> Sequence[BaseException | None]:
        """Send records; return the error of each, None if the broker acknowledged it."""
        absent = {}
        for topic in dict.fromkeys(each.topic for _, each in found):
            error = await self._topic_error(producer, topic)
            if error is not None:
                absent[topic] = error
        futures = [await _submit(producer, each) for _, each in found if each.topic not in absent]
        answers = iter(await asyncio.gather(*futures, return_exceptions=True))
        errors = [absent.get(each.topic) or next(answers) for _, each in found]
        return [each if isinstance(each, BaseException) else None for each in errors]

    async def _topic_error(self, producer: AIOKafkaProducer, topic: str) -> BaseException | None:
        """Return the error of looking up a topic's partitions; None if it has any."""
        try:
            async with asyncio.timeout(self._seconds / 4):
                await producer.partitions_for(topic)
        except (KafkaError, TimeoutError) as error:
            return error
        return None

    async def _sort_results(
        self,
        producer: AIOKafkaProducer,
        found: Sequence[tuple[int, Outgoing]],
        errors: Sequence[BaseException | None],
    ) -> _SendResult:
        """Decide for each record: delete, set aside as refused, or send again.

        Records acknowledged after a failed one of the same topic are sent again
        after it, which keeps the order within the topic.
        """
        done: list[int] = []
        refused: dict[int, str] = {}
        failures: dict[str, BaseException] = {}
        again: set[str] = set()
        for (number, each), first in zip(found, errors, strict=True):
            error = first
            if error is not None and about(error) is About.RECORD:
                # A different record of its batch may have been the cause.
                error = await _send_alone(producer, each)
            if error is not None and _is_permanent(error):
                refused[number] = type(error).__name__
            elif error is not None:
                failures.setdefault(each.topic, error)
            elif each.topic not in failures and each.topic not in again:
                done.append(number)
                if first is not None:
                    again.add(each.topic)
        self._set_aside(failures)
        if any(_is_producer_failure(error) for error in failures.values()):
            await self.stop()
        return _SendResult(done, refused, next(iter(failures.values()), None))

    def _set_aside(self, failures: Mapping[str, BaseException]) -> None:
        for topic, error in failures.items():
            if not _is_producer_failure(error):
                self._aside[topic] = time.monotonic() + ASIDE_SECONDS


def _is_permanent(error: BaseException) -> bool:
    return about(error) is About.RECORD or isinstance(error, InvalidTopicError)


def _is_producer_failure(error: BaseException) -> bool:
    # A topic without metadata in time does not mean that the producer failed.
    return about(error) is not About.TOPIC and not isinstance(error, TimeoutError)


async def _submit(producer: AIOKafkaProducer, each: Outgoing) -> Any:  # noqa: ANN401
    """Return a future of the record's acknowledgement; it fails if the record is refused."""
    try:
        if each.key is None and each.value is None:
            # aiokafka accepts a record without key and value only as a batch.
            return await _submit_alone(producer, each)
        return await producer.send(each.topic, each.value, key=each.key, headers=list(each.headers))
    except KafkaError as error:
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused


async def _submit_alone(producer: AIOKafkaProducer, each: Outgoing) -> Any:  # noqa: ANN401
    return await send_alone(producer, each.topic, each.key, each.value, each.headers)


async def _send_alone(producer: AIOKafkaProducer, each: Outgoing) -> BaseException | None:
    try:
        await (await _submit_alone(producer, each))
    except KafkaError as error:
        refused: BaseException = error
        return refused
    return None
