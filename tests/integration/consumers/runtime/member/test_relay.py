"""The outbox is sent in order, at least once, by one sender; nothing in it is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from consumers.runtime.apply.outbox import Outgoing, put, read_unsent
from consumers.runtime.member.relay import BATCH, Relay, relay_producer
from tests.parts.connections import connection_to
from tests.parts.runtime.counting import TABLES, outbox_of, stored
from tests.parts.runtime.members import Feed
from tests.parts.runtime.told import letters

REFUSED = MessageSizeTooLargeError.__name__


def outgoing(feed: Feed, number: int, value: bytes | None = b"v") -> Outgoing:
    headers = [("n", b"%05d" % number), ("twice", b"\xff"), ("twice", b""), ("null", None)]
    return Outgoing(feed.dead_letters, b"key", value, headers)


@pytest.fixture
async def relay(feed: Feed) -> AsyncIterator[Relay]:
    """Yield a relay to the feed's broker."""
    relay = made(feed)
    yield relay
    await relay.stop()


def made(feed: Feed) -> Relay:
    kafka = connection_to(feed.broker.bootstrap)
    return Relay(stored(feed.engine), lambda: relay_producer(kafka), 10)


async def fill(feed: Feed, *waiting: Outgoing) -> None:
    async with feed.engine.begin() as transaction:
        await put(transaction, TABLES, waiting)


async def test_empty_outbox_makes_no_producer(feed: Feed) -> None:
    def make() -> AIOKafkaProducer:
        raise AssertionError

    assert await Relay(stored(feed.engine), make, 1).send_waiting() == 0


async def test_records_are_sent_in_order_and_byte_for_byte(feed: Feed, relay: Relay) -> None:
    await fill(feed, *(outgoing(feed, number) for number in range(BATCH + 20)))
    assert [await relay.send_waiting() for _ in range(3)] == [BATCH, 20, 0]
    assert await outbox_of(feed.engine) == []
    found = await letters(feed, BATCH + 20)
    assert [list(each.headers) for each in found] == [
        list(outgoing(feed, number).headers) for number in range(BATCH + 20)
    ]
    # One key, one partition, one order.
    assert [each.offset for each in found] == sorted(each.offset for each in found)


async def test_one_of_two_relays_sends(feed: Feed) -> None:
    await fill(feed, *(outgoing(feed, number) for number in range(BATCH)))
    both = [made(feed), made(feed)]
    try:
        counts = await asyncio.gather(*(each.send_waiting() for each in both))
    finally:
        await asyncio.gather(*(each.stop() for each in both))
    assert sorted(counts) == [0, BATCH]
    assert len(await letters(feed, BATCH)) == BATCH


async def test_record_whose_transaction_commits_behind_later_ones_is_not_passed(feed: Feed) -> None:
    late = await feed.engine.connect()
    await put(late, TABLES, [outgoing(feed, 0)])
    await fill(feed, outgoing(feed, 1))
    relay = Relay(stored(feed.engine), lambda: _started_after(feed, late.commit), 10)
    try:
        # The late one has the lower id, and is not there when the relay reads.
        assert await relay.send_waiting() == 1
        await late.close()
        assert len(await outbox_of(feed.engine)) == 1
        assert await relay.send_waiting() == 1
    finally:
        await relay.stop()
    sent = {dict(each.headers)["n"] for each in await letters(feed, 2)}
    assert sent == {b"00000", b"00001"}


def _started_after(feed: Feed, first: Callable[[], Awaitable[None]]) -> AIOKafkaProducer:
    producer = relay_producer(connection_to(feed.broker.bootstrap))
    start = producer.start

    async def start_later() -> None:
        await first()
        await start()

    producer.start = start_later
    return producer


@pytest.mark.kafka
async def test_permanently_refused_record_is_set_aside_and_blocks_no_other(
    feed: Feed, relay: Relay
) -> None:
    large = outgoing(feed, 1, b"x" * 5 * 1024 * 1024)
    await fill(feed, outgoing(feed, 0), large, outgoing(feed, 2))
    await relay.send_waiting()
    (row,) = await outbox_of(feed.engine)
    assert row.refused == MessageSizeTooLargeError.__name__
    assert row.value == large.value
    assert len(await letters(feed, 2)) == 2
    assert await relay.send_waiting() == 0


@pytest.mark.kafka
async def test_neighbours_of_a_refused_record_are_sent_once_and_in_order(
    feed: Feed, relay: Relay
) -> None:
    large = [outgoing(feed, number, b"x" * 5 * 1024 * 1024) for number in (3, 7)]
    small = [outgoing(feed, number) for number in range(12) if number not in {3, 7}]
    waiting = [*small[:3], large[0], *small[3:6], large[1], *small[6:]]
    await fill(feed, *waiting)
    # No more than 8 MiB are read at once.
    assert [await relay.send_waiting() for _ in range(3)] == [8, 4, 0]
    assert [row.value for row in await outbox_of(feed.engine)] == [each.value for each in large]
    found = await letters(feed, len(small))
    assert [list(each.headers) for each in found] == [list(each.headers) for each in small]


@pytest.mark.kafka
async def test_records_of_a_batch_that_the_topic_refuses_are_sent_alone(
    feed: Feed, relay: Relay
) -> None:
    await limit(feed, 3000)
    sizes = [1000, 1000, 5000, 1000, 1000, 5000, 1000]
    waiting = [outgoing(feed, number, b"v" * size) for number, size in enumerate(sizes)]
    await fill(feed, *waiting)
    assert await relay.send_waiting() == len(waiting)
    assert [row.refused for row in await outbox_of(feed.engine)] == [REFUSED] * 2
    small = [each for each in waiting if len(each.value or b"") == 1000]
    found = await letters(feed, len(small))
    assert [list(each.headers) for each in found] == [list(each.headers) for each in small]


async def test_nothing_is_sent_behind_a_batch_that_failed(
    feed: Feed, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each of them fills a batch.
    waiting = [outgoing(feed, number, b"v" * 100_000) for number in range(4)]
    await fill(feed, *waiting)
    send, calls = AIOKafkaProducer.send_batch, count(1)

    async def failing(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - aiokafka's
        if next(calls) == 2:
            raise KafkaTimeoutError
        return await send(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(AIOKafkaProducer, "send_batch", failing)
        with pytest.raises(KafkaTimeoutError):
            await relay.send_waiting()
    assert len(await outbox_of(feed.engine)) == 3
    assert await relay.send_waiting() == 3
    found = await letters(feed, 4)
    assert [list(each.headers) for each in found] == [list(each.headers) for each in waiting]


async def limit(feed: Feed, largest: int) -> None:
    """Limit the size of batches in the dead-letter topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.broker.bootstrap)
    await admin.start()
    size = {"max.message.bytes": str(largest)}
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, feed.dead_letters, configs=size)]
        )
    finally:
        await admin.close()


async def test_each_key_keeps_its_order_over_many_batches_and_partitions(
    feed: Feed, relay: Relay
) -> None:
    keys = [b"key %d" % (number % 17) for number in range(600)]
    waiting = [
        replace(outgoing(feed, number, b"v" * 2000), key=key) for number, key in enumerate(keys)
    ]
    await fill(feed, *waiting)
    assert await relay.send_waiting() == len(waiting)
    found = await letters(feed, len(waiting))
    assert len({each.partition for each in found}) > 1
    for key in set(keys):
        sent = [list(each.headers) for each in found if each.key == key]
        assert sent == [list(each.headers) for each in waiting if each.key == key]


async def test_large_records_are_read_a_few_at_a_time(feed: Feed) -> None:
    await fill(feed, *(outgoing(feed, number, b"v" * 1000) for number in range(5)))
    async with feed.engine.connect() as connection:
        for most, count in ((1, 1), (1000, 1), (1001, 2), (5000, 5)):
            found = await read_unsent(connection, TABLES, BATCH, most_bytes=most)
            assert len(found) == count


async def test_record_without_key_and_value_is_sent(feed: Feed, relay: Relay) -> None:
    await fill(feed, replace(outgoing(feed, 0, None), key=None))
    assert await relay.send_waiting() == 1
    (found,) = await letters(feed, 1)
    assert (found.key, found.value) == (None, None)


@pytest.mark.kafka
async def test_records_of_a_missing_topic_stay_until_it_exists(feed: Feed) -> None:
    await fill(feed, Outgoing(f"{feed.prefix}nowhere", b"k", b"v", []))
    relay = Relay(
        stored(feed.engine), lambda: relay_producer(connection_to(feed.broker.bootstrap)), 2
    )
    with pytest.raises((KafkaError, TimeoutError)):
        await relay.send_waiting()
    await relay.stop()
    assert len(await outbox_of(feed.engine)) == 1


@pytest.mark.kafka
async def test_failing_topic_delays_no_other_and_repeats_nothing(feed: Feed, relay: Relay) -> None:
    nowhere = Outgoing(f"{feed.prefix}nowhere", b"k", b"v", [])
    await fill(feed, outgoing(feed, 0), *[nowhere] * BATCH, outgoing(feed, 1))
    with pytest.raises((KafkaError, TimeoutError)):
        await relay.send_waiting()
    # Records of that topic alone would fill every batch from now on.
    assert await relay.send_waiting() == 1
    assert await relay.send_waiting() == 0

    assert {row.topic for row in await outbox_of(feed.engine)} == {nowhere.topic}
    assert len(await letters(feed, 2)) == 2


async def test_unreachable_broker_loses_nothing_and_times_out(
    feed: Feed,
) -> None:
    await fill(feed, outgoing(feed, 0))
    relay = Relay(stored(feed.engine), lambda: relay_producer(connection_to()), 2)
    async with asyncio.timeout(10):
        with pytest.raises((KafkaError, TimeoutError)):
            await relay.send_waiting()
        await relay.stop()
    assert len(await outbox_of(feed.engine)) == 1


async def test_sender_interrupted_after_sending_sends_again_and_loses_nothing(
    feed: Feed, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(feed, *(outgoing(feed, number) for number in range(3)))

    async def cut(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr("consumers.runtime.apply.stored_books.delete_sent", cut)
        with pytest.raises(asyncio.CancelledError):
            await relay.send_waiting()
    assert len(await outbox_of(feed.engine)) == 3
    assert await relay.send_waiting() == 3
    assert len(await letters(feed, 6)) == 6
