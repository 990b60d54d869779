"""Publishes the outbox: at least once, in order, from one process of a consumer at a time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, TopicAuthorizationFailedError

from consumers.runtime.apply.bookkeeping import Bookkeeping
from consumers.runtime.apply.outbox import Outgoing
from router.broker.connection import KafkaConnection
from router.broker.partitioner import partition_of
from router.broker.producers import make_durable_producer, stop_within
from router.broker.refusals import About, about

BATCH = 1000
"""How many records are read at once, and deleted in the transaction that sends them."""

REQUEST_BYTES = 128 * 1024
"""Size of a batch of records. Smaller than what a topic accepts, which is 1 MiB unless changed."""

STOP_SECONDS = 3.0
LARGEST_BYTES = 64 * 1024 * 1024
"""So large that the topic's limit decides what is too large, not the client's."""

ASIDE_SECONDS = 10.0
"""How long a failing topic is skipped, so that the others are sent."""

MakeProducer = Callable[[], AIOKafkaProducer]


def relay_producer(kafka: KafkaConnection) -> AIOKafkaProducer:
    """Make a producer that loses nothing and keeps the order."""
    return make_durable_producer(
        kafka, max_request_size=LARGEST_BYTES, max_batch_size=REQUEST_BYTES
    )


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

    def __init__(self, stored: Bookkeeping, make: MakeProducer, seconds: float) -> None:
        """Connect to nothing yet; `seconds` is how long the broker may take for a batch."""
        self._stored = stored
        self._make = make
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None
        self._aside: dict[str, float] = {}

    async def send_waiting(self) -> int:
        """Send up to a batch and return how many were settled; 0 if another process is sending.

        Raises KafkaError or TimeoutError if the broker does not accept some of them:
        those stay in the outbox, and acknowledged ones are deleted.
        """
        async with self._stored.transaction() as books:
            if not await books.lock_relay():
                return 0
            found = await books.unsent(BATCH, self._topics_aside())
            if not found:
                return 0
            sent = await self._send(found)
            for number, error in sent.refused.items():
                await books.set_aside(number, error)
            await books.delete_sent(sent.done)
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
                return await self._sort_results(found, errors)
        except BaseException:
            await self.stop()
            raise

    async def _send_all(
        self, producer: AIOKafkaProducer, found: Sequence[tuple[int, Outgoing]]
    ) -> Sequence[BaseException | None]:
        """Send records; return the error of each, None if the broker acknowledged it.

        Those of a partition are sent one batch after the other. So what is acknowledged is in
        order, and nothing behind a record that is sent again later was sent before.
        """
        errors: list[BaseException | None] = [None] * len(found)
        lines: dict[tuple[str, int], list[int]] = {}
        for topic, indexes in _by_topic(found).items():
            partitions = await self._partitions(producer, topic)
            for index in indexes:
                if isinstance(partitions, BaseException):
                    errors[index] = partitions
                else:
                    partition = _partition_for(found[index][1], partitions)
                    lines.setdefault((topic, partition), []).append(index)
        answers = await asyncio.gather(
            *(
                _send_line(producer, place, [found[i][1] for i in own])
                for place, own in lines.items()
            )
        )
        for own, answer in zip(lines.values(), answers, strict=True):
            for index, error in zip(own, answer, strict=True):
                errors[index] = error
        return errors

    async def _partitions(
        self, producer: AIOKafkaProducer, topic: str
    ) -> Sequence[int] | BaseException:
        """Return a topic's partitions, sorted, or the error of looking them up."""
        try:
            async with asyncio.timeout(self._seconds / 4):
                return sorted(await producer.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            return error

    async def _sort_results(
        self, found: Sequence[tuple[int, Outgoing]], errors: Sequence[BaseException | None]
    ) -> _SendResult:
        """Decide for each record: delete, set aside as refused, or send again."""
        done: list[int] = []
        refused: dict[int, str] = {}
        failures: dict[str, BaseException] = {}
        for (number, each), error in zip(found, errors, strict=True):
            if error is None:
                done.append(number)
            elif _is_permanent(error):
                refused[number] = type(error).__name__
            else:
                failures.setdefault(each.topic, _with_topic(error, each.topic))
        self._set_aside(failures)
        if any(_is_producer_failure(error) for error in failures.values()):
            await self.stop()
        return _SendResult(done, refused, next(iter(failures.values()), None))

    def _set_aside(self, failures: Mapping[str, BaseException]) -> None:
        for topic, error in failures.items():
            if not _is_producer_failure(error):
                self._aside[topic] = time.monotonic() + ASIDE_SECONDS


def _with_topic(error: BaseException, topic: str) -> BaseException:
    """Return an error that names the topic, if it is about the topic and names none."""
    if isinstance(error, TopicAuthorizationFailedError) and not error.args:
        named: BaseException = TopicAuthorizationFailedError(topic)
        return named
    return error


def _is_permanent(error: BaseException) -> bool:
    return about(error) is About.RECORD or isinstance(error, InvalidTopicError)


def _is_producer_failure(error: BaseException) -> bool:
    # A topic without metadata in time does not mean that the producer failed.
    return about(error) is not About.TOPIC and not isinstance(error, TimeoutError)


def _by_topic(found: Sequence[tuple[int, Outgoing]]) -> Mapping[str, Sequence[int]]:
    topics: dict[str, list[int]] = {}
    for index, (_, each) in enumerate(found):
        topics.setdefault(each.topic, []).append(index)
    return topics


def _partition_for(each: Outgoing, partitions: Sequence[int]) -> int:
    """Return the partition of a record; one without a key has no order, and goes to the first."""
    return partitions[0] if each.key is None else partition_of(each.key, partitions)


async def _send_line(
    producer: AIOKafkaProducer, place: tuple[str, int], records: Sequence[Outgoing]
) -> Sequence[BaseException | None]:
    """Send the records of a partition in order; return the error of each.

    After a failure that concerns more than one record, the rest is not sent, and has the same one.
    """
    errors: list[BaseException | None] = []
    for batch in _batches(producer, records):
        error = await _sent(batch.send(producer, place))
        if error is not None and about(error) is About.RECORD:
            # One of its records is the cause: all of them are sent alone, and it is found.
            errors += await _send_singly(producer, place, batch.records)
        else:
            errors += [error] * len(batch.records)
        last = errors[-1]
        if last is not None and not _is_permanent(last):
            return [*errors, *[last] * (len(records) - len(errors))]
    return errors


async def _send_singly(
    producer: AIOKafkaProducer, place: tuple[str, int], records: Sequence[Outgoing]
) -> Sequence[BaseException | None]:
    """Send records alone, in order, until one fails; return the error of each."""
    errors: list[BaseException | None] = []
    for each in records:
        alone = _RelayBatch(producer.create_batch())
        alone.take(each)
        error = await _sent(alone.send(producer, place))
        errors.append(error)
        if error is not None and not _is_permanent(error):
            return [*errors, *[error] * (len(records) - len(errors))]
    return errors


@dataclass
class _RelayBatch:
    """Records of one partition that are sent together."""

    builder: Any
    records: list[Outgoing] = field(default_factory=list)

    def take(self, each: Outgoing) -> bool:
        """Append a record; return False if there is no room. The first one always has room."""
        appended = self.builder.append(
            timestamp=None, key=each.key, value=each.value, headers=list(each.headers)
        )
        if appended is not None:
            self.records.append(each)
        return appended is not None

    async def send(self, producer: AIOKafkaProducer, place: tuple[str, int]) -> None:
        """Send it, and return once the broker has acknowledged it."""
        topic, partition = place
        self.builder.close()
        await (await producer.send_batch(self.builder, topic, partition=partition))


def _batches(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> Iterator[_RelayBatch]:
    batch = _RelayBatch(producer.create_batch())
    for each in records:
        if not batch.take(each):
            yield batch
            batch = _RelayBatch(producer.create_batch())
            batch.take(each)
    if batch.records:
        yield batch


async def _sent(sending: Awaitable[None]) -> BaseException | None:
    """Return the broker's refusal, or None."""
    try:
        await sending
    except KafkaError as error:
        refused: BaseException = error
        return refused
    return None
