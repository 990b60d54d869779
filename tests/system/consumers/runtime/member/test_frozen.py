"""A frozen process delays the others only as long as configured, and does no harm afterwards.

The evaluation broker does not serve two members at once, so these need a real Kafka.
"""

import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.store.engines import KNOWS_TRANSACTION_TIMEOUT
from tests.parts.runtime.child import Moment, child
from tests.parts.runtime.counting import effects_of, id_of, numbered
from tests.parts.runtime.members import Feed
from tests.parts.runtime.running import Running
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

BRIEF: dict[str, Any] = {
    "session_timeout_seconds": 3,
    "transaction_timeout_seconds": 2,
    "rebalance_timeout_seconds": 3,
}
CONFIGURED_SECONDS = sum(BRIEF.values())
ROOM_SECONDS = 30.0
"""Allowance for a busy machine; a new owner that is never let in would take forever."""


async def require_transaction_timeout(engine: AsyncEngine) -> None:
    """Skip the test if this PostgreSQL has no transaction time-out."""
    async with engine.connect() as connection:
        number = await connection.scalar(text("SHOW server_version_num"))
    if int(number or 0) < KNOWS_TRANSACTION_TIMEOUT * 10_000:
        pytest.skip(f"PostgreSQL {number} has no limit on the duration of a transaction")


async def send(feed: Feed, first: int) -> None:
    """Send one event to each partition."""
    for partition in range(4):
        await feed.send([numbered(first + partition)], partition)


async def take_over(feed: Feed, started: float, owner: Running) -> float:
    """Wait until the new owner has everything, within the configured time; return the seconds."""
    await feed.applied(4)
    await send(feed, 4)
    await feed.applied(8)
    seconds = time.monotonic() - started
    assert seconds < CONFIGURED_SECONDS + ROOM_SECONDS
    await owner.says(200, "4 partitions assigned and moving")
    return seconds


async def each_once(feed: Feed, number: int) -> None:
    await feed.applied(number)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(number)))
    fences = await feed.fences()
    assert sum(fence.next_offset for fence in fences.values()) == number


@pytest.mark.parametrize("moment", ["in the transaction", "in a statement", "after the commit"])
async def test_frozen_process_is_replaced_in_time_and_recovers_by_itself(
    feed: Feed, moment: Moment, capsys: pytest.CaptureFixture[str]
) -> None:
    if moment == "in a statement":
        await require_transaction_timeout(feed.engine)
    await send(feed, 0)
    async with AsyncExitStack() as stack:
        order = {"moment": moment, "seconds": 1}
        zombie = await stack.enter_async_context(child(feed, order, **BRIEF))
        await zombie.reaches(moment)
        zombie.freeze()
        started = time.monotonic()
        owner = await stack.enter_async_context(child(feed, **BRIEF))
        seconds = await take_over(feed, started, owner)
        with capsys.disabled():
            said = f"{seconds:.1f} s, configured are {CONFIGURED_SECONDS}"
            print(f"\nfrozen {moment}: the next owner continued after {said}")  # noqa: T201
        zombie.thaw()
        failed = "offset_commit_failed" if moment == "after the commit" else "retrying"
        await eventually(lambda: zombie.log(failed), f"{failed} in {zombie.lines}")
        for each in (zombie, owner):
            await each.says(200, "2 partitions assigned and moving")
        await send(feed, 8)
        await each_once(feed, 12)
        assert [await zombie.stop(), await owner.stop()] == [0, 0]
    assert await feed.committed() == dict.fromkeys(range(4), 3)
    assert not {"partition_halted", "upkeep_failed"} & set(owner.logged())
