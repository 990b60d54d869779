"""Unreachable broker: the consumer reports it, recovers by itself, and can be stopped."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.commands.actions.held_admin import Filter, retry_now
from consumers.runtime.member import subscription
from tests.parts.brokers import Broker
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.runtime.counting import (
    TABLES,
    effects_of,
    id_of,
    numbered,
    outbox_of,
)
from tests.parts.runtime.members import Feed, feeding, halted, ready
from tests.parts.runtime.told import (
    applied_but,
    holds,
    letters,
    metric,
    published,
    refusing,
)
from tests.parts.waiting import eventually

# A client closed while connecting to a frozen broker leaves an unclosed connection.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Run the garbage collector now, so that its warnings do not appear in the next test."""
    yield
    gc.collect()


@pytest.fixture
async def feed(
    own_kafka: ApacheKafka, counting: AsyncEngine, topics_prefix: str
) -> AsyncIterator[Feed]:
    """Yield a topic on a broker for this test alone."""
    broker = Broker(own_kafka.bootstrap, "the test's own", real=True)
    async with feeding(broker, counting, topics_prefix) as feed:
        # A request to a frozen broker must time out before the test ends.
        feed.options["request_timeout_ms"] = 2000
        feed.hurry(silent_seconds=1.0, leave_seconds=1.0)
        yield feed


async def test_consumer_survives_a_broker_outage(own_kafka: ApacheKafka, feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        own_kafka.kill()
        await halted(process, "positioning")
        assert process.alive().good
        own_kafka.start()
        await feed.send(map(numbered, range(10, 20)), partition=1)
        await feed.applied(20)
        own_kafka.pause()
        await halted(process, "positioning")
        own_kafka.resume()
        await feed.send(map(numbered, range(20, 30)), partition=2)
        await feed.applied(30)
        await ready(process)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(30)))


async def test_consumer_continues_as_the_same_member_after_a_broker_outage(
    own_kafka: ApacheKafka, feed: Feed
) -> None:
    # A new member would wait until the session of the old one expires, which could not leave.
    feed.hurry(silent_seconds=4.0)
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        await asyncio.to_thread(own_kafka.kill)
        noticed = [partial(feed.logged, name) for name in ("retrying", "broker_failed")]
        await eventually(lambda: any(each() for each in noticed), "the silence to be noticed")
        assert not process.ready().good
        await asyncio.to_thread(own_kafka.start)
        await feed.send(map(numbered, range(10, 20)), partition=1)
        await feed.applied(20)
        await ready(process)
        assert metric(process, "payrouter_rebalances_total") == 1
    assert not feed.logged("broker_failed")


async def test_stop_does_not_wait_for_the_broker(own_kafka: ApacheKafka, feed: Feed) -> None:
    async with feed.member() as process:
        await ready(process)
        own_kafka.pause()
    own_kafka.resume()
    await eventually(lambda: not subscription._STOPPING, "the client's end")  # noqa: SLF001


async def test_dead_letters_from_an_outage_are_published_when_the_broker_is_back(
    own_kafka: ApacheKafka, feed: Feed
) -> None:
    feed.hurry(silent_seconds=30.0, measure_seconds=0.1)
    await feed.send(map(numbered, range(3)))
    async with feed.member(refusing(1), attempts=2, park_seconds=60) as process:
        await holds(feed, "parked", 1)
        own_kafka.kill()
        async with feed.engine.begin() as connection:
            await retry_now(connection, TABLES, Filter())
        (row,) = await holds(feed, "dead", 1)
        waits = "payrouter_outbox_waiting"
        await eventually(lambda: metric(process, waits) == 1, "one that waits")
        failures = "payrouter_upkeep_failures_total"
        await eventually(lambda: metric(process, failures, work="outbox"), "a failed round")
        assert len(await outbox_of(feed.engine)) == 1
        own_kafka.start()
        await published(feed)
        await eventually(lambda: metric(process, waits) == 0, "none that waits")
    found = await letters(feed, 1)
    # At least once: records that the broker stored without acknowledging may appear twice.
    assert {(each.key, each.value) for each in found} == {(row.key, row.value)}
    await applied_but(feed, 1, of=3)
