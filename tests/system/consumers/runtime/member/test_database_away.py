"""Long database outage: the member stays in the group, metrics stay true, and it catches up."""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.runtime.store.migrate import upgrade
from tests.parts.databases import OwnPostgres, own_postgres
from tests.parts.runtime.child import child
from tests.parts.runtime.counting import SERVICE, effects_of, id_of, numbered
from tests.parts.runtime.members import Feed
from tests.parts.runtime.running import Running
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

TRANSACTION_SECONDS = 1.0
AWAY_SECONDS = 8.0
"""Ten minutes are 20 sessions, 30 transactions and twice the longest time between two polls."""

BRIEF: dict[str, float] = {
    "session_timeout_seconds": 2,
    "transaction_timeout_seconds": TRANSACTION_SECONDS,
}
TIMING = {
    "measure_seconds": 0.2,
    "lag_seconds": 1,
    # Both are set by the transaction's time-out.
    "stuck_seconds": 0,
    "poll_seconds": 0,
}
STORED = ("payrouter_held_records", "payrouter_outbox_waiting", "payrouter_brake_held")
"""Metrics that are read from the store."""


@pytest.fixture
def postgres() -> Iterator[OwnPostgres]:
    """Yield a PostgreSQL for this test alone."""
    with own_postgres() as server:
        yield server


@pytest.fixture
async def counting(postgres: OwnPostgres) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of a database on it."""
    engine = create_async_engine(postgres.start())
    await upgrade(engine, SERVICE)
    await engine.dispose()
    yield engine
    await engine.dispose()


@dataclass
class Watch:
    """Repeated observations of a consumer and of the group's coordinator."""

    feed: Feed
    consumer: Running
    said: set[tuple[int, str]] = field(default_factory=set)
    alive: set[int] = field(default_factory=set)
    turns: list[int] = field(default_factory=list)
    members: set[tuple[str, ...]] = field(default_factory=set)
    rebalances: set[float] = field(default_factory=set)
    ready: set[float] = field(default_factory=set)
    lag: list[float] = field(default_factory=list)

    async def look(self) -> None:
        """Record one observation."""
        alive, detail = await self.consumer.asked("/healthz")
        self.alive.add(alive)
        self.turns += map(int, re.findall(r"last turn (\d+) s ago", detail))
        self.said.add(await self.consumer.asked("/readyz"))
        self.rebalances |= set(await self.consumer.measures("payrouter_rebalances_total"))
        self.ready |= set(await self.consumer.measures("payrouter_consumer_ready"))
        self.lag.append(sum(await self.consumer.measures("payrouter_lag_records")))
        self.members.add(await members(self.feed))

    async def look_for(self, seconds: float) -> None:
        """Record observations for so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.look()
            await asyncio.sleep(0.2)


async def members(feed: Feed) -> tuple[str, ...]:
    """Return the ids of the group's members and the group's state, from the coordinator."""
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.broker.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([feed.group])
    finally:
        await admin.close()
    (group,) = answer.groups
    _, _, state, _, _, found, *_ = group
    return (state, *sorted(member[0] for member in found))


async def stored(consumer: Running) -> list[float]:
    return [value for name in STORED for value in await consumer.measures(name)]


async def unknown(consumer: Running) -> bool:
    return all(map(math.isnan, await stored(consumer)))


async def lags(consumer: Running, number: int) -> None:
    async def there() -> bool:
        return sum(await consumer.measures("payrouter_lag_records")) == number

    await eventually(there, f"a lag of {number}")


async def send(feed: Feed, first: int, number: int, partition: int) -> None:
    await feed.send(map(numbered, range(first, first + number)), partition)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_long_database_outage_keeps_the_membership_and_everything_is_caught_up(
    feed: Feed, postgres: OwnPostgres, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = "in the transaction"
    order = {"timing": TIMING, "moment": moment, "seconds": 0.5}
    async with child(feed, order, **BRIEF) as consumer:
        await consumer.says(200, "4 partitions assigned and moving")
        watch = Watch(feed, consumer)
        await watch.look()
        before = watch.members, watch.rebalances
        await feed.engine.dispose()
        await send(feed, 0, 40, 0)
        # No pause here: the batch must still be in its transaction.
        await consumer.reaches(moment)
        (postgres.kill if how == "killed" else postgres.pause)()
        await send(feed, 40, 20, 0)
        await send(feed, 60, 20, 1)
        await consumer.says(503, "retrying: ")
        await eventually(lambda: unknown(consumer), "unknown measures")
        await lags(consumer, 80)
        away = Watch(feed, consumer)
        await away.look_for(AWAY_SECONDS / 2)
        await send(feed, 80, 20, 2)
        await lags(consumer, 100)
        await away.look_for(AWAY_SECONDS / 2)
        (postgres.start if how == "killed" else postgres.resume)()
        started = time.monotonic()
        await feed.applied(100)
        seconds = time.monotonic() - started
        await consumer.says(200, "4 partitions assigned and moving")
        await lags(consumer, 0)
        await eventually(lambda: _none_unknown(consumer), "measures again")
        await watch.look()
        assert await consumer.stop() == 0
    assert (watch.members, watch.rebalances) == (away.members, away.rebalances) == before
    assert (away.alive, away.ready, watch.ready) == ({200}, {0}, {1})
    assert {status for status, _ in away.said} == {503}
    assert set(away.lag) == {80, 100}
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(100)))
    with capsys.disabled():
        print(  # noqa: T201 - what was measured
            f"\n{how}: caught up {seconds:.1f} s after it was back; the longest turn took"
            f" {max(away.turns)} s, a transaction may take {TRANSACTION_SECONDS}; it said"
            f" {sorted({said for _, said in away.said})}"
        )


async def _none_unknown(consumer: Running) -> bool:
    return not any(map(math.isnan, await stored(consumer)))
