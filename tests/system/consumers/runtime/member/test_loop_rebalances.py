"""A rebalance while a batch waits, runs, or runs too long loses and doubles nothing.

The evaluation broker does not serve two members at once, so these need a real Kafka.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncpg.exceptions import SerializationError
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.member.app import ConsumerProcess
from router.contract.event import Event
from tests.parts.runtime.counting import count, effects_of, id_of, numbered
from tests.parts.runtime.members import Feed, halted
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka


@dataclass
class Held:
    """A handler that pauses after its effect until the test releases it."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    entered: int = 0

    async def handle(self, transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        """Count, then pause."""
        outcomes = await count(transaction, events)
        self.entered += 1
        await self.free.wait()
        return outcomes


def assigned(process: ConsumerProcess) -> int:
    return 0 if process.loop is None else len(process.loop.positions.assigned)


async def shared(*members: ConsumerProcess) -> None:
    await eventually(lambda: [assigned(each) for each in members] == [2, 2], "two each")


async def assert_each_once(feed: Feed, number: int) -> None:
    await feed.applied(number)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(number)))
    fences = await feed.fences()
    assert sum(fence.next_offset for fence in fences.values()) == number


async def test_batch_waiting_for_a_retry_is_left_to_the_next_owner(feed: Feed) -> None:
    away = True

    async def failing(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        if away:
            raise SerializationError
        return await count(transaction, events)

    for partition in range(4):
        await feed.send([numbered(partition)], partition)
    # The second member would wait for nearly an hour if revocation waited for this batch.
    patient: dict[str, Any] = {"rebalance_timeout_seconds": 3600, "retry_longest_seconds": 3600}
    async with feed.member(failing, **patient) as first:
        await halted(first, "retrying: SerializationError: SQLSTATE 40001")
        async with feed.member(failing, **patient) as second:
            await eventually(lambda: feed.logged("batch_given_up"), "the batch to be abandoned")
            away = False
            await shared(first, second)
            await assert_each_once(feed, 4)


async def test_running_batch_is_finished_before_the_partitions_are_revoked(feed: Feed) -> None:
    held = Held()
    for partition in range(4):
        await feed.send([numbered(partition)], partition)
    async with feed.member(held.handle) as first:
        await eventually(lambda: held.entered, "a running batch")
        async with feed.member() as second:
            await asyncio.sleep(2)
            assert assigned(second) == 0
            assert await effects_of(feed.engine) == []
            held.free.set()
            await shared(first, second)
            await assert_each_once(feed, 4)


async def test_batch_that_outlasts_its_assignment_is_applied_once(feed: Feed) -> None:
    held = Held()
    for partition in range(4):
        await feed.send([numbered(partition)], partition)
    async with feed.member(held.handle, rebalance_timeout_seconds=1) as zombie:
        await eventually(lambda: held.entered, "a running batch")
        async with feed.member(rebalance_timeout_seconds=1) as owner:
            # The next owner waits for the transaction that has locked the fence.
            await eventually(lambda: assigned(owner) == 2, "the next owner's partitions")
            await asyncio.sleep(1)
            held.free.set()
            await shared(zombie, owner)
            await assert_each_once(feed, 4)
            for partition in range(4):
                await feed.send([numbered(4 + partition)], partition)
            await assert_each_once(feed, 8)


async def test_frozen_transaction_is_ended_and_the_next_owner_continues(feed: Feed) -> None:
    held = Held()
    for partition in range(4):
        await feed.send([numbered(partition)], partition)
    brief: dict[str, Any] = {"rebalance_timeout_seconds": 1, "transaction_timeout_seconds": 2}
    async with feed.member(held.handle, **brief) as zombie:
        await eventually(lambda: held.entered, "a running batch")
        async with feed.member(**brief) as owner:
            await eventually(lambda: assigned(owner) == 2, "the next owner's partitions")
            # To the database, the zombie looks frozen forever.
            await eventually(lambda: _moved(feed, 2), "the next owner's two batches")
            held.free.set()
            await shared(zombie, owner)
            await assert_each_once(feed, 4)


async def _moved(feed: Feed, number: int) -> bool:
    return len(await effects_of(feed.engine)) >= number
