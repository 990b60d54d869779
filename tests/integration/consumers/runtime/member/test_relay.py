"""The outbox is sent in order, at least once, by one sender; nothing in it is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from consumers.runtime.apply.outbox import Outgoing, put
from consumers.runtime.member.relay import BATCH, Relay, relay_producer
from tests.parts.connections import connection_to
from tests.parts.runtime.counting import TABLES, outbox_of
from tests.parts.runtime.members import Feed
from tests.parts.runtime.told import letters


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
    return Relay(feed.engine, TABLES, lambda: relay_producer(kafka), 10)


async def fill(feed: Feed, *waiting: Outgoing) -> None:
    async with feed.engine.begin() as transaction:
        await put(transaction, TABLES, waiting)


async def test_empty_outbox_makes_no_producer(feed: Feed) -> None:
    def make() -> AIOKafkaProducer:
        raise AssertionError

    assert await Relay(feed.engine, TABLES, make, 1).send_waiting() == 0


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
async def test_records_of_a_missing_topic_stay_until_it_exists(feed: Feed) -> None:
    await fill(feed, Outgoing(f"{feed.prefix}nowhere", b"k", b"v", []))
    relay = Relay(
        feed.engine,
        TABLES,
        lambda: relay_producer(connection_to(feed.broker.bootstrap)),
        2,
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
    relay = Relay(feed.engine, TABLES, lambda: relay_producer(connection_to()), 2)
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
        patched.setattr("consumers.runtime.apply.outbox.delete_sent", cut)
        with pytest.raises(asyncio.CancelledError):
            await relay.send_waiting()
    assert len(await outbox_of(feed.engine)) == 3
    assert await relay.send_waiting() == 3
    assert len(await letters(feed, 6)) == 6
