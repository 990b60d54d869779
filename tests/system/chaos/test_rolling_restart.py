"""Three consumers are restarted, killed and joined by others under load: all once and in order.

The result is printed: for each partition the longest time without an applied record, although
records were always waiting.
"""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import pytest

from tests.parts.runtime.child import child
from tests.parts.runtime.counting import counts_of, effects_of, id_of, numbered, written
from tests.parts.runtime.members import Feed
from tests.parts.runtime.running import Running
from tests.parts.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

INSTANCES = 3
KEYS = 16
BRIEF: dict[str, Any] = {
    "session_timeout_seconds": 3,
    "transaction_timeout_seconds": 2,
    "rebalance_timeout_seconds": 5,
    "batch_records": 50,
    "batch_wait_seconds": 0.05,
}


@dataclass
class Load:
    """Endless events on all partitions, every tenth one twice; each key is on one partition."""

    feed: Feed
    sent: int = 0
    doubled: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send at a fixed rate until the event is set."""
        while not self.enough.is_set():
            for _ in range(KEYS):
                await self._send(self.sent, again=self.sent % 10 == 0)
                self.sent += 1
            await self.feed.producer.flush()
            await asyncio.sleep(0.04)

    async def _send(self, number: int, *, again: bool) -> None:
        out = written(numbered(number, reference=f"K-{number % KEYS}"), self.feed.topic)
        for _ in range(2 if again else 1):
            await self.feed.producer.send(
                self.feed.topic,
                out.value,
                out.key,
                partition=number % KEYS % 4,
                headers=list(out.headers),
            )
        self.doubled += again


@dataclass
class Standstill:
    """Measures the longest time between two moves of the fence, by partition."""

    feed: Feed
    longest: Counter[int] = field(default_factory=Counter)
    _stood: dict[int, tuple[int, float]] = field(default_factory=dict)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            now = time.monotonic()
            for row in await counts_of(self.feed.engine):
                at, since = self._stood.get(row.partition, (-1, now))
                gap = int((now - since) * 1000)
                self.longest[row.partition] = max(self.longest[row.partition], gap)
                if at != row.next_offset:
                    self._stood[row.partition] = (row.next_offset, now)
            await asyncio.sleep(0.05)

    def __str__(self) -> str:
        """Format the table."""
        rows = [
            f"{number:>9}  {gap / 1000:>6.1f} s" for number, gap in sorted(self.longest.items())
        ]
        return "\n".join(["partition  longest time without progress", *rows])


@dataclass
class Fleet:
    """The instances. With static membership, each place has its own instance id."""

    feed: Feed
    static: bool
    stack: contextlib.AsyncExitStack
    members: list[Running] = field(default_factory=list)

    async def start(self, place: int) -> Running:
        """Start the instance of a place and wait until it has its partitions."""
        identity = {"instance_id": f"counting-{place}"} if self.static else {}
        started = await self.stack.enter_async_context(child(self.feed, None, **BRIEF, **identity))
        await started.says(200, "assigned and moving")
        return started

    async def fill(self) -> None:
        """Start all instances."""
        self.members = [await self.start(place) for place in range(INSTANCES)]

    async def restart(self, place: int, how: signal.Signals) -> None:
        """Stop the instance of a place, and start a new one there."""
        process = self.members[place].process
        process.send_signal(how)
        status = await self.members[place].ended()
        assert status == (0 if how == signal.SIGTERM else -how), self.members[place].lines
        self.members[place] = await self.start(place)

    async def visit(self, seconds: float) -> None:
        """Let another instance join, stay for a while, and leave."""
        async with child(self.feed, None, **BRIEF) as guest:
            await guest.says(200, "assigned and moving")
            await asyncio.sleep(seconds)
            assert await guest.stop() == 0

    async def stop(self) -> None:
        """Stop all instances."""
        for member in self.members:
            assert await member.stop() == 0, member.lines


@contextlib.asynccontextmanager
async def under_load(feed: Feed, standstill: Standstill, load: Load) -> AsyncIterator[None]:
    """Send and measure until the block ends; then wait until all records are passed."""
    looking = asyncio.create_task(standstill.run())
    sending = asyncio.create_task(load.run())
    try:
        yield
        load.enough.set()
        await sending
        looking.cancel()
        await eventually(lambda: passed(feed, load.sent + load.doubled), "every record passed")
    finally:
        looking.cancel()
        sending.cancel()


async def passed(feed: Feed, number: int) -> bool:
    return sum(row.next_offset for row in await counts_of(feed.engine)) == number


def in_order(effects: Sequence[UUID], sent: int) -> bool:
    """Return whether the events of each key were applied in the order of sending."""
    numbers = {id_of(number): number for number in range(sent)}
    applied = [numbers[each] for each in effects]
    keys = [[number for number in applied if number % KEYS == key] for key in range(KEYS)]
    return all(each == sorted(each) for each in keys)


async def upheaval(fleet: Fleet, random: Random, rounds: int) -> str:
    """Repeatedly restart instances in turn, kill one, and let another join and leave."""
    said = Counter[str]()
    for _ in range(rounds):
        for place in range(INSTANCES):
            await fleet.restart(place, signal.SIGTERM)
            said["restarts"] += 1
        await fleet.restart(random.randrange(INSTANCES), signal.SIGKILL)
        said["kills"] += 1
        await fleet.visit(random.uniform(0, 2))
        said["visits"] += 1
    return ", ".join(f"{what} {number}" for what, number in said.items())


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
async def test_restarted_and_killed_fleet_under_load_applies_all_once_and_in_order(
    feed: Feed,
    chaos_long: bool,  # noqa: FBT001 - a fixture
    capsys: pytest.CaptureFixture[str],
    *,
    static: bool,
) -> None:
    load, standstill = Load(feed), Standstill(feed)
    started = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        fleet = Fleet(feed, static, stack)
        await fleet.fill()
        async with under_load(feed, standstill, load):
            done = await upheaval(fleet, Random(20261122), 15 if chaos_long else 1)
        await fleet.stop()
    rows = await counts_of(feed.engine)
    effects = await effects_of(feed.engine)
    with capsys.disabled():
        print(  # noqa: T201 - the result
            f"\n{'static' if static else 'dynamic'} membership: {done}, events {load.sent},"
            f" records {load.sent + load.doubled}, {time.monotonic() - started:.0f} s\n{standstill}"
        )
    assert Counter(effects) == Counter(map(id_of, range(load.sent)))
    assert in_order(effects, load.sent)
    assert sum(row.duplicate for row in rows) == load.doubled
    assert sum(row.gaps + row.parked + row.dead_lettered for row in rows) == 0
