"""A consumer on another cluster than before halts, until a command states where to begin."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from consumers.runtime.apply.offsets import begin_fences
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import TABLES, effects_of, numbered, set_fence
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.told import applied_but, metric

RESET = ("offsets", "reset", "counting", "--topic", "payment", "--to", "earliest")


async def read_elsewhere(feed: Feed, applied_at: datetime | None = None) -> None:
    """Leave fences of another cluster, whose last record was written at a time."""
    begin = {feed.partition(number): 0 for number in range(4)}
    async with feed.engine.begin() as connection:
        await begin_fences(connection, TABLES, "another", begin)
    if applied_at is not None:
        timestamp = int(applied_at.timestamp() * 1000)
        values = {"next_offset": 9, "gaps": 9, "last_offset": 8, "last_crc": 1}
        await set_fence(feed.engine, feed.partition(0), **values, last_timestamp=timestamp)


async def test_another_cluster_halts_until_the_named_command(
    feed: Feed, payrouter: Payrouter
) -> None:
    await read_elsewhere(feed)
    await feed.send(map(numbered, range(5)))
    async with feed.member() as process:
        said = await halted(process, "from another Kafka cluster so far")
        assert said.count(" halted:") == 4
        where = {"topic": feed.topic, "partition": "0", "reason": "other_cluster"}
        assert metric(process, "payrouter_partition_halted", **where) == 1
        assert await effects_of(feed.engine) == []
        assert (await payrouter(*RESET, "--yes")).status == 0
        await feed.applied(5)
        await ready(process)
    await applied_but(feed, of=5)
    async with feed.member() as process:  # a restart needs no command
        await ready(process)


async def test_evaluation_reads_another_cluster_from_its_start(feed: Feed) -> None:
    await read_elsewhere(feed)
    await feed.send(map(numbered, range(5)))
    async with feed.member(other_cluster="read"):
        await feed.applied(5)


async def test_reset_names_what_the_new_cluster_may_lack(feed: Feed, payrouter: Payrouter) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await read_elsewhere(feed, applied_at=hour_ago)
    await feed.send(map(numbered, range(5)))
    said = await payrouter(*RESET)
    assert f"{feed.topic}-0: records may be missing" in said.err
    assert said.err.count("may be missing") == 1
    await set_fence(feed.engine, feed.partition(0), last_timestamp=None)
    await read_elsewhere(feed, applied_at=datetime.now(UTC) + timedelta(hours=1))
    assert "may be missing" not in (await payrouter(*RESET)).err


@pytest.mark.parametrize(("remembers", "status"), [(True, 0), (False, 1)])
async def test_new_cluster_with_older_events_than_are_remembered_needs_force(
    feed: Feed, payrouter: Payrouter, *, remembers: bool, status: int
) -> None:
    await read_elsewhere(feed)
    await feed.send(map(numbered, range(5)))
    if not remembers:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        async with feed.engine.begin() as connection:
            await connection.execute(update(TABLES.memory).values(pruned_before=tomorrow))
    said = await payrouter(*RESET)
    assert said.status == status, said.err
    assert ("remembers event ids only since" in said.err) is not remembers
