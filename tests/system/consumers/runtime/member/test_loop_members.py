"""Several members of one group share the partitions, and no rebalance loses a record.

The evaluation broker does not serve two members at once, so these need a real Kafka.
"""

import asyncio
import contextlib
from collections import Counter

import pytest

from consumers.runtime.member.app import ConsumerProcess
from tests.parts.runtime.counting import counts_of, effects_of, id_of, numbered
from tests.parts.runtime.members import Feed
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

EVENTS = 400


def assigned(process: ConsumerProcess) -> int:
    return 0 if process.loop is None else len(process.loop.positions.placed)


async def placed(process: ConsumerProcess, number: int) -> None:
    """Wait until a member has placed at least so many partitions."""
    await eventually(lambda: assigned(process) >= number, f"{number} partitions")


async def fed(feed: Feed, pause: float) -> None:
    """Send events to all partitions at a steady rate, every tenth twice."""
    for number in range(EVENTS):
        await feed.send([numbered(number)] * (2 if number % 10 == 0 else 1), number % 4)
        await asyncio.sleep(pause)


async def assert_each_once(feed: Feed) -> None:
    times = Counter(await effects_of(feed.engine))
    assert times == Counter(map(id_of, range(EVENTS)))
    rows = await counts_of(feed.engine)
    assert sum(row.applied for row in rows) == EVENTS
    assert sum(row.duplicate for row in rows) == EVENTS // 10
    assert sum(row.next_offset for row in rows) == EVENTS + EVENTS // 10


async def all_passed(feed: Feed) -> None:
    async def passed() -> bool:
        fences = await feed.fences()
        return sum(f.next_offset for f in fences.values()) == EVENTS + EVENTS // 10

    await eventually(passed, "every record passed")


async def test_two_members_share_the_partitions(feed: Feed) -> None:
    async with feed.member() as first, feed.member() as second:
        await eventually(lambda: (assigned(first), assigned(second)) == (2, 2), "two each")
        await fed(feed, 0)
        await all_passed(feed)
    await assert_each_once(feed)


async def test_rolling_restart_under_load_loses_and_doubles_nothing(feed: Feed) -> None:
    feeding = asyncio.create_task(fed(feed, 0.005))
    async with contextlib.AsyncExitStack() as last:
        for _ in range(3):
            async with feed.member(batch_records=10) as old:
                await placed(old, 1)
                new = await last.enter_async_context(feed.member(batch_records=10))
                await placed(new, 1)
        await feeding
        await all_passed(feed)
    await assert_each_once(feed)


async def test_leaving_member_hands_its_partitions_to_the_other(feed: Feed) -> None:
    async with feed.member() as stays:
        async with feed.member() as goes:
            await eventually(lambda: (assigned(stays), assigned(goes)) == (2, 2), "two each")
        await eventually(lambda: assigned(stays) == 4, "all four")
        await fed(feed, 0)
        await all_passed(feed)
    await assert_each_once(feed)


async def test_two_processes_under_one_instance_id_still_apply_everything_once(
    feed: Feed,
) -> None:
    # A deployment error: the two take the partitions from each other forever.
    async with feed.member(instance_id="the-only-one") as first:
        await eventually(lambda: assigned(first) == 4, "all four")
        async with feed.member(instance_id="the-only-one", batch_records=5):
            await fed(feed, 0.002)
            await all_passed(feed)
    await assert_each_once(feed)
