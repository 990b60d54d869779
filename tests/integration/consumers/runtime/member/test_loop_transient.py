"""Transient failures: the same batch is retried, and the member keeps its partitions."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.fate import Fate
from router.contract.event import Event
from tests.parts.runtime.counting import TABLES, count, effects_of, id_of, numbered
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.waiting import eventually


async def administer(engine: AsyncEngine, *statements: str) -> None:
    """Run statements in a different database of the same server."""
    server = create_async_engine(engine.url.set(database="postgres"))
    async with server.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            await connection.execute(text(statement))
    await server.dispose()


async def take_away(engine: AsyncEngine) -> None:
    """Refuse new connections to the database, and terminate existing ones."""
    name = engine.url.database
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
    await engine.dispose()
    await administer(
        engine, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false', terminate.format(name)
    )


async def give_back(engine: AsyncEngine) -> None:
    await administer(engine, f'ALTER DATABASE "{engine.url.database}" ALLOW_CONNECTIONS true')


def joined(feed: Feed) -> int:
    return len(feed.logged("partitions_assigned"))


async def test_database_outage_loses_neither_records_nor_partitions(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(20)))
    async with feed.member() as process:
        await feed.applied(20)
        await take_away(feed.engine)
        await feed.send(map(numbered, range(20, 40)))
        await feed.send(map(numbered, range(40, 60)), partition=1)
        await halted(process, "retrying: cannot reach the database")
        assert process.alive().good
        # Longer than the session: a member that does not poll would be evicted.
        await asyncio.sleep(8)
        await feed.send(map(numbered, range(60, 80)), partition=2)
        await give_back(feed.engine)
        await feed.applied(80)
        await ready(process)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(80)))
    assert joined(feed) == 1
    assert feed.logged("retrying")


async def test_connection_lost_in_the_middle_of_a_batch_leaves_one_effect(feed: Feed) -> None:
    cut: list[int] = []

    async def cutting(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        if len(cut) < 3:
            cut.append(len(events))
            await transaction.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return outcomes

    await feed.send(map(numbered, range(10)))
    async with feed.member(cutting):
        await feed.applied(10)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(10)]
    assert len(cut) == 3
    assert not feed.logged("partition_halted")


async def test_consumer_waits_for_a_lock_of_another_session(feed: Feed) -> None:
    await feed.send(map(numbered, range(5)))
    async with feed.member(transaction_timeout_seconds=2):
        await feed.applied(5)
        async with feed.engine.begin() as zombie:
            await zombie.execute(TABLES.fence.select().with_for_update())
            await feed.send(map(numbered, range(5, 10)))
            await eventually(lambda: feed.logged("retrying"), "a retry")
        await feed.applied(10)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(10)]


async def test_stop_does_not_wait_for_the_database(feed: Feed) -> None:
    await feed.send(map(numbered, range(5)))
    async with feed.member(retry_longest_seconds=3600) as process:
        await feed.applied(5)
        await take_away(feed.engine)
        await feed.send(map(numbered, range(5, 10)))
        await halted(process, "retrying")
    await give_back(feed.engine)
    assert len(feed.logged("batch_given_up")) == 1
    async with feed.member():
        await feed.applied(10)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(10)]


async def test_database_outage_during_positioning_is_waited_out(feed: Feed) -> None:
    async with feed.member() as process:
        await ready(process)
        await take_away(feed.engine)
        loop = process.loop
        assert loop is not None
        # As after a rebalance: all partitions have to be positioned again.
        loop.on_assigned(set(loop.positions.assigned))
        said = await halted(process, "positioning 4: cannot reach the database")
        assert "halted" not in said
        await give_back(feed.engine)
        await feed.send(map(numbered, range(5)))
        await feed.applied(5)
        await ready(process)


async def test_transient_failure_of_a_handler_holds_no_record_permanently(feed: Feed) -> None:
    states = ["40001", "55P03", "53100"]

    async def failing(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        if states:
            raised = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{states.pop()}'; END $$"
            await transaction.execute(text(raised))
        return outcomes

    await feed.send(map(numbered, range(10)))
    async with feed.member(failing) as process:
        await feed.applied(10)
        await ready(process)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(10)]
