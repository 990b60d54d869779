"""Dead letters survive crashes and refusals, and refused ones are shown."""

import asyncio
import signal
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from consumers.runtime.apply.outbox import Outgoing, put
from consumers.runtime.commands.actions.held_admin import list_operations
from tests.parts.runtime.child import child
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import TABLES, outbox_of
from tests.parts.runtime.members import Feed
from tests.parts.runtime.told import (
    headers_of,
    holds,
    letters,
    metric,
    origin,
    published,
)
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

BRIEF: dict[str, Any] = {
    "session_timeout_seconds": 3,
    "transaction_timeout_seconds": 2,
    "rebalance_timeout_seconds": 3,
    "brake_after": 1_000_000,
}
KEYS = 5


async def send(feed: Feed, numbers: Iterable[int]) -> None:
    """Send undecodable records, each to the partition of its key."""
    for number in numbers:
        key = number % KEYS
        await feed.producer.send(feed.topic, b"no event %d" % number, b"key %d" % key, key % 4)
    await feed.producer.flush()


def facts(letter: Any) -> tuple[object, ...]:  # noqa: ANN401 - aiokafka's record
    return (letter.key, letter.value, tuple(letter.headers))


async def test_process_killed_between_publishing_and_deleting_publishes_again(
    feed: Feed,
) -> None:
    await send(feed, range(10))
    async with child(feed, {"moment": "before the delete"}, **BRIEF) as victim:
        assert await victim.ended() == -signal.SIGKILL
    first = await letters(feed, 1)
    waiting = await outbox_of(feed.engine)
    sent = {(row.key, row.value, tuple(headers_of(row))) for row in waiting}
    assert {facts(each) for each in first} <= sent
    async with child(feed, **BRIEF) as other:
        await holds(feed, "dead", 10)
        await published(feed)
        assert await other.stop() == 0
    both = await letters(feed, 10 + len(first))
    assert len({facts(each) for each in both}) == 10


async def test_two_processes_publish_in_turn_and_keep_the_order_of_each_key(
    feed: Feed,
) -> None:
    number = 200
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(child(feed, **BRIEF)) for _ in range(2)]
        for each in both:
            await each.says(200, "2 partitions assigned and moving")
        for first in range(0, number, 40):
            await send(feed, range(first, first + 40))
            await asyncio.sleep(0.1)
        await holds(feed, "dead", number)
        await published(feed)
        found = await letters(feed, number)
        assert [await each.stop() for each in both] == [0, 0]
    # No duplicates: two concurrent senders would have sent some records twice.
    assert len({facts(each) for each in found}) == len(found) == number
    for partition in {each.partition for each in found}:
        assert_in_order([each for each in found if each.partition == partition])


def assert_in_order(found: list[Any]) -> None:
    """Assert that the dead letters of each key are in the order of their records."""
    keys: dict[bytes, list[tuple[int, int]]] = {}
    for each in found:
        place = (each.offset, int(origin(each)["origin-offset"]))
        keys.setdefault(each.key, []).append(place)
    for places in keys.values():
        assert [place for _, place in sorted(places)] == sorted(place for _, place in places)


async def test_refused_record_is_shown_and_sent_once_its_topic_allows_it(
    feed: Feed, payrouter: Payrouter
) -> None:
    feed.hurry(measure_seconds=0.1)
    large = Outgoing(feed.dead_letters, b"key", b"x" * 5 * 1024 * 1024, [])
    async with feed.engine.begin() as transaction:
        await put(transaction, TABLES, [large])
    async with feed.member() as process:
        await eventually(lambda: metric(process, "payrouter_outbox_refused") == 1, "one refused")
        assert metric(process, "payrouter_outbox_waiting") == 0
        shown = await payrouter("outbox", "show", "counting", "--json")
        assert shown.status == 1
        (refused,) = shown.json["refused"]
        assert (refused["topic"], refused["size"]) == (feed.dead_letters, 5 * 1024 * 1024 + 3)
        assert "MessageSizeTooLargeError" in (await payrouter("outbox", "show", "counting")).out
        await make_room(feed)
        again = await payrouter("outbox", "retry", "counting")
        assert (again.status, "1 refused records" in again.out) == (0, True)
        await published(feed)
        assert (await payrouter("outbox", "show", "counting", "--json")).json == {
            "waiting": 0,
            "oldest": None,
            "refused": [],
        }
    (letter,) = await letters(feed, 1)
    assert letter.value == large.value
    async with feed.engine.connect() as connection:
        (done,) = await list_operations(connection, TABLES)
    assert done.what == "outbox retry"


async def make_room(feed: Feed) -> None:
    """Allow larger records in the dead-letter topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.broker.bootstrap)
    await admin.start()
    room = {"max.message.bytes": str(8 * 1024 * 1024)}
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, feed.dead_letters, configs=room)]
        )
    finally:
        await admin.close()
