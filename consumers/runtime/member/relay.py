"""Publishes the outbox: at least once, in order, by one process of a consumer at a time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError
from faststream.kafka.security import parse_security
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply import outbox
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.tables import RuntimeTables
from router.broker.producers import hardened, send_alone, stop_within
from router.broker.refusals import About, about

BATCH = 100
STOP_SECONDS = 3.0
LARGEST_BYTES = 64 * 1024 * 1024
"""The topic decides what is too large, not the client."""

ASIDE_SECONDS = 10.0
"""How long a topic that takes nothing is left out, so that the others go on."""

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
    return hardened(producer)


@dataclass(frozen=True)
class _Sent:
    """What became of a batch: numbers to remove, numbers refused with the error, a failure."""

    done: Sequence[int]
    refused: Mapping[int, str]
    failure: BaseException | None


class Relay:
    """Sends what waits. The producer is made when something does.

    A topic that takes nothing holds up no other one.
    """

    def __init__(
        self, engine: AsyncEngine, tables: RuntimeTables, make: MakeProducer, seconds: float
    ) -> None:
        """Remember what to work with; `seconds` is how long the broker may take for a batch."""
        self._engine = engine
        self._tables = tables
        self._make = make
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None
        self._aside: dict[str, float] = {}

    async def send_waiting(self) -> int:
        """Send up to a batch and return how many left; 0 where another process is at it.

        Raises KafkaError or TimeoutError where the broker does not take some of
        them: those stay, and those that it has taken are removed.
        """
        async with transaction_of(self._engine) as transaction:
            if not await self._is_the_one(transaction):
                return 0
            found = await outbox.waiting(transaction, self._tables, BATCH, self._left_out())
            if not found:
                return 0
            sent = await self._send(found)
            for number, error in sent.refused.items():
                await outbox.refuse(transaction, self._tables, number, error)
            await outbox.sent(transaction, self._tables, sent.done)
        if sent.failure is not None:
            raise sent.failure
        return len(sent.done) + len(sent.refused)

    async def stop(self) -> None:
        """Stop the producer, within bounds."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # Whatever comes of it, this producer is not asked for anything any more.
            with contextlib.suppress(Exception):
                await stop_within(producer, STOP_SECONDS)

    async def _is_the_one(self, transaction: AsyncConnection) -> bool:
        name = f"payrouter relay {self._tables.metadata.schema}"
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))
        return bool(await transaction.scalar(select(lock)))

    def _left_out(self) -> Sequence[str]:
        now = time.monotonic()
        self._aside = {topic: until for topic, until in self._aside.items() if now < until}
        return list(self._aside)

    async def _send(self, found: Sequence[tuple[int, Outgoing]]) -> _Sent:
        try:
            async with asyncio.timeout(self._seconds):
                if self._producer is None:
                    self._producer = self._make()
                    await self._producer.start()
                errors = await self._answers(self._producer, found)
                return await self._judged(self._producer, found, errors)
        except BaseException:
            await self.stop()
            raise

    async def _answers(
        self, producer: AIOKafkaProducer, found: Sequence[tuple[int, Outgoing]]
    ) -> Sequence[BaseException | None]:
        """Send, and return the error of each record, None for what the broker has."""
        absent = {}
        for topic in dict.fromkeys(each.topic for _, each in found):
            error = await self._absent(producer, topic)
            if error is not None:
                absent[topic] = error
        futures = [
            await _hand_over(producer, each) for _, each in found if each.topic not in absent
        ]
        answers = iter(await asyncio.gather(*futures, return_exceptions=True))
        errors = [absent.get(each.topic) or next(answers) for _, each in found]
        return [each if isinstance(each, BaseException) else None for each in errors]

    async def _absent(self, producer: AIOKafkaProducer, topic: str) -> BaseException | None:
        """Return why a topic has no partitions to write to, None where it has."""
        try:
            async with asyncio.timeout(self._seconds / 4):
                await producer.partitions_for(topic)
        except (KafkaError, TimeoutError) as error:
            return error
        return None

    async def _judged(
        self,
        producer: AIOKafkaProducer,
        found: Sequence[tuple[int, Outgoing]],
        errors: Sequence[BaseException | None],
    ) -> _Sent:
        """Decide what is done with each record.

        What a topic has acknowledged behind a record that it has not stays too, and
        is sent again behind that one: the order of a topic holds.
        """
        done: list[int] = []
        refused: dict[int, str] = {}
        failures: dict[str, BaseException] = {}
        again: set[str] = set()
        for (number, each), first in zip(found, errors, strict=True):
            error = first
            if error is not None and about(error) is About.RECORD:
                # Another record of its batch may have been the cause.
                error = await _sent_alone(producer, each)
            if error is not None and _is_for_good(error):
                refused[number] = type(error).__name__
            elif error is not None:
                failures.setdefault(each.topic, error)
            elif each.topic not in failures and each.topic not in again:
                done.append(number)
                if first is not None:
                    again.add(each.topic)
        self._note(failures)
        if any(_is_the_producers(error) for error in failures.values()):
            await self.stop()
        return _Sent(done, refused, next(iter(failures.values()), None))

    def _note(self, failures: Mapping[str, BaseException]) -> None:
        for topic, error in failures.items():
            if not _is_the_producers(error):
                self._aside[topic] = time.monotonic() + ASIDE_SECONDS


def _is_for_good(error: BaseException) -> bool:
    return about(error) is About.RECORD or isinstance(error, InvalidTopicError)


def _is_the_producers(error: BaseException) -> bool:
    # A topic that has no metadata in time says nothing of the producer.
    return about(error) is not About.TOPIC and not isinstance(error, TimeoutError)


async def _hand_over(producer: AIOKafkaProducer, each: Outgoing) -> Any:  # noqa: ANN401
    """Return a future of the record's acknowledgement, or of why it was not taken."""
    try:
        if each.key is None and each.value is None:
            # aiokafka takes such a record only as a batch.
            return await _alone(producer, each)
        return await producer.send(each.topic, each.value, key=each.key, headers=list(each.headers))
    except KafkaError as error:
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused


async def _alone(producer: AIOKafkaProducer, each: Outgoing) -> Any:  # noqa: ANN401
    return await send_alone(producer, each.topic, each.key, each.value, each.headers)


async def _sent_alone(producer: AIOKafkaProducer, each: Outgoing) -> BaseException | None:
    try:
        await (await _alone(producer, each))
    except KafkaError as error:
        refused: BaseException = error
        return refused
    return None
