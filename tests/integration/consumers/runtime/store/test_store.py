"""How a consumer's database is opened, and the error if it is unreachable."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import (
    StoreUnavailable,
    reading,
    unavailability_explained,
)
from consumers.runtime.store.engines import open_engine, open_upgrade_engine
from router.contract.topics import Topics
from tests.parts.connections import connection_to


def settings(url: str) -> ConsumerSettings:
    return ConsumerSettings("ledger", connection_to(), SecretStr(url), Topics(), Tuning())


async def show(connection: AsyncConnection, setting: str) -> str:
    return str(await connection.scalar(text(f"SHOW {setting}")))


@pytest.fixture
async def counted(database_url: str) -> ConsumerSettings:
    """Yield the settings of a database with a table `public.counted` of one row."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE counted AS SELECT 1 AS n"))
    await engine.dispose()
    return settings(database_url)


async def test_a_command_cannot_write(counted: ConsumerSettings) -> None:
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        async with reading(counted) as connection:
            await connection.execute(text("INSERT INTO counted VALUES (2)"))


async def test_command_reads_one_snapshot_of_the_database(counted: ConsumerSettings) -> None:
    engine = open_engine(counted)
    async with reading(counted) as connection:
        before = await connection.scalar(text("SELECT count(*) FROM counted"))
        async with engine.begin() as other:
            await other.execute(text("INSERT INTO counted VALUES (2)"))
        after = await connection.scalar(text("SELECT count(*) FROM counted"))
    await engine.dispose()
    assert before == after == 1


async def test_an_upgrade_may_take_longer_than_a_consumer(database_url: str) -> None:
    engines = open_engine(settings(database_url)), open_upgrade_engine(settings(database_url))
    limits = []
    for engine in engines:
        async with engine.connect() as connection:
            limits.append(await show(connection, "statement_timeout"))
        await engine.dispose()
    assert limits == ["20s", "0"]


def test_a_refused_connection_is_explained_without_the_password() -> None:
    away = settings("postgresql+asyncpg://user:hunter2@example.invalid/books")
    with pytest.raises(StoreUnavailable) as said, unavailability_explained(away):
        raise ConnectionRefusedError
    expected = "cannot read the database books on example.invalid: ConnectionRefusedError"
    assert str(said.value) == expected


def test_error_that_is_not_the_databases_fault_is_not_replaced() -> None:
    here = settings("postgresql+asyncpg:///books")
    with pytest.raises(ZeroDivisionError), unavailability_explained(here):
        _ = 1 / 0


async def test_missing_table_names_the_command_that_creates_it(database_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="payrouter db upgrade") as said:
        async with reading(settings(database_url)) as connection:
            await connection.execute(text("SELECT * FROM ledger.posting"))
    assert isinstance(said.value.__cause__, DBAPIError)


@pytest.mark.parametrize("opened", [open_engine, open_upgrade_engine])
async def test_unhandled_error_does_not_show_the_values_of_its_statement(
    database_url: str, opened: Callable[[ConsumerSettings], AsyncEngine]
) -> None:
    engine = opened(settings(database_url))
    try:
        with pytest.raises(DBAPIError) as raised:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1 / length(:a || :a) - nope"), {"a": "hush"})
    finally:
        await engine.dispose()
    assert "hush" not in str(raised.value)
