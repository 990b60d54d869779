"""Store failures: partitions wait, none halts, no record is lost, and others continue."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.parts.runtime.counting import effects_of, held_in, id_of, numbered
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import applied_but, refusing
from tests.parts.waiting import eventually

READ_ONLY_SECONDS = 2.0
"""Duration of a real failover, 15 s; the tests do not depend on it."""


async def execute(engine: AsyncEngine, *statements: str) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            await connection.execute(text(statement))


@pytest.fixture
async def admin(counting: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Yield an administrator's engine, on a different database of the same server."""
    engine = create_async_engine(counting.url.set(database="postgres"))
    yield engine
    await engine.dispose()


async def test_record_that_can_be_neither_applied_nor_held_waits_and_is_never_skipped(
    feed: Feed,
) -> None:
    broken = "ALTER TABLE counting.held ADD CONSTRAINT broken CHECK (state <> 'parked')"
    await execute(feed.engine, broken)
    await feed.send(map(numbered, range(10)))
    await feed.send(map(numbered, range(10, 20)), partition=1)
    async with feed.member(refusing(7), park_seconds=60) as process:
        await feed.applied(17)
        await eventually(lambda: "positioning 1" in process.ready().detail, "a wait")
        assert not process.ready().good
        # The other partitions continue.
        await feed.send(map(numbered, range(20, 25)), partition=1)
        await feed.applied(22)
        assert (await feed.fences())[0].next_offset == 7
        await execute(feed.engine, "ALTER TABLE counting.held DROP CONSTRAINT broken")
        await feed.applied(24)
        await ready(process)
    await applied_but(feed, 7, of=25)
    (row,) = await held_in(feed.engine, "parked")
    assert row.event_id == id_of(7)
    assert not feed.logged("partition_halted")


async def test_read_only_database_is_waited_for_under_load(
    feed: Feed, admin: AsyncEngine, *, chaos_long: bool
) -> None:
    name = feed.engine.url.database
    setting = f'ALTER DATABASE "{name}" SET default_transaction_read_only'
    leave = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    async with feed.member() as process:
        await feed.send(map(numbered, range(10)))
        await feed.applied(10)
        await execute(admin, f"{setting} = on", leave)
        for number in range(10, 40):
            await feed.send([numbered(number)], number % 4)
        await eventually(lambda: "read-only (SQLSTATE 25006)" in process.ready().detail, "named")
        await asyncio.sleep(15 if chaos_long else READ_ONLY_SECONDS)
        assert process.loop is not None
        assert process.loop.positions.halts == []
        # Sessions opened in the meantime stay read-only, as after a failover.
        await execute(admin, f"{setting} = off")
        await feed.engine.dispose()
        await feed.applied(40)
        await ready(process)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(40)))
    assert await held_in(feed.engine) == []
    assert not feed.logged("partition_halted")


@pytest.fixture
async def limited(counting: AsyncEngine, feed: Feed) -> AsyncIterator[Feed]:
    """Yield the feed with a separate role that has all privileges on the tables."""
    role = f"{counting.url.database}_role"
    await execute(
        counting,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA counting TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA counting TO {role}",
    )
    engine = create_async_engine(counting.url.set(username=role))
    yield replace(feed, engine=engine)
    await engine.dispose()
    await execute(counting, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("right", "table"), [("INSERT", "held"), ("UPDATE", "fence"), ("INSERT", "effect")]
)
async def test_missing_privilege_is_named_and_waited_for(
    feed: Feed, limited: Feed, right: str, table: str
) -> None:
    role = limited.engine.url.username
    await execute(feed.engine, f"REVOKE {right} ON counting.{table} FROM {role}")
    await feed.send(map(numbered, range(5)))
    async with limited.member(refusing(2), park_seconds=60) as process:
        said = f"the database role lacks a right on table {table}"
        await eventually(lambda: said in process.ready().detail, said)
        assert not process.ready().good
        assert "SQLSTATE 42501" in process.ready().detail
        await execute(feed.engine, f"GRANT {right} ON counting.{table} TO {role}")
        await feed.applied(4)
        await ready(process)
    await applied_but(feed, 2, of=5)
    (row,) = await held_in(feed.engine, "parked")
    assert row.event_id == id_of(2)
    assert not feed.logged("partition_halted")
