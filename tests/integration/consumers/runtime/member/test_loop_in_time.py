"""A consumer in time order applies a backlog in the order in which its records were written."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from aiokafka import AIOKafkaProducer

from tests.parts.runtime.counting import effects_of, id_of, numbered, written
from tests.parts.runtime.members import Feed
from tests.parts.runtime.transactions import transacting

MANY = 200


def place(number: int) -> int:
    return number // 3 % 3


async def send_timed(feed: Feed, producer: AIOKafkaProducer, numbers: Sequence[int]) -> None:
    """Send events to three of the four partitions, a second apart by their times."""
    begin = int(time.time() - 3600) * 1000
    sent = []
    for number in numbers:
        out = written(numbered(number), feed.topic)
        at = begin + number * 1000
        sent.append(
            await producer.send(
                feed.topic, out.value, out.key, partition=place(number), timestamp_ms=at
            )
        )
    await asyncio.gather(*sent)


def in_time(feed: Feed) -> Feed:
    return replace(feed, service=replace(feed.service, in_time_order=True))


async def test_a_backlog_is_applied_in_the_order_of_its_times(feed: Feed) -> None:
    ordered = in_time(feed)
    # Sent partition by partition: only the times know the order.
    numbers = sorted(range(MANY), key=lambda number: (place(number), number))
    await send_timed(feed, feed.producer, numbers)
    async with ordered.member(batch_records=7):
        await feed.applied(MANY)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(MANY)]


async def test_another_consumer_reads_each_partition_as_it_is_fetched(feed: Feed) -> None:
    await send_timed(feed, feed.producer, range(MANY))
    async with feed.member(batch_records=7):
        await feed.applied(MANY)
    assert await effects_of(feed.engine) != [id_of(number) for number in range(MANY)]


async def test_new_records_of_one_partition_do_not_wait_for_idle_ones(feed: Feed) -> None:
    ordered = in_time(feed)
    ordered.hurry(order_seconds=600)
    async with ordered.member():
        for number in range(5):
            await feed.send([numbered(number)], partition=number % 2)
            await feed.applied(number + 1)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(5)]


async def test_records_withheld_by_an_open_transaction_hold_up_no_other_partition(
    feed: Feed,
) -> None:
    ordered = in_time(feed)
    ordered.hurry(order_seconds=600)
    async with transacting(feed) as producer:
        await send_timed(feed, producer, [0])
        await feed.send(map(numbered, range(1, 9)), partition=1)
        async with ordered.member():
            await feed.applied(8)
            await producer.commit_transaction()
            await feed.applied(9)
