"""Errors of a real PostgreSQL, and what is done about them."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import BigInteger, Numeric, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.apply.failures import (
    Action,
    Phase,
    decide,
    describe,
)
from consumers.runtime.store.database import StoreAway, transaction_of


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Yield a connection to an empty database."""
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def failure(connection: AsyncConnection, statement: str) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the question
        await connection.execute(text(statement))
    return raised.value


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("08006", Action.RETRY),
        ("40001", Action.RETRY),
        ("40P01", Action.RETRY),
        ("53100", Action.RETRY),
        ("53300", Action.RETRY),
        ("55P03", Action.RETRY),
        ("57014", Action.RETRY),
        ("57P01", Action.RETRY),
        ("58030", Action.RETRY),
        ("25006", Action.RETRY),
        ("22003", Action.PARK),
        ("23505", Action.PARK),
        ("23514", Action.PARK),
        ("42P01", Action.WAIT),
        ("42501", Action.WAIT),
        ("55000", Action.WAIT),
        ("P0001", Action.PARK),
        ("XX000", Action.WAIT),
    ],
)
async def test_each_sqlstate_is_transient_or_not(
    connection: AsyncConnection, state: str, action: Action
) -> None:
    raised = f"DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '{state}'; END $$"
    error = await failure(connection, raised)
    assert decide(error, Phase.APPLY) is action
    # If even holding fails, the store is at fault; no parked record loses an attempt.
    assert decide(error, Phase.HOLD) is (Action.RETRY if action is Action.RETRY else Action.WAIT)
    parked = Action.PARK if action is Action.PARK or state == "57014" else Action.RETRY
    assert decide(error, Phase.PARKED) is parked
    assert decide(error, Phase.START) is Action.RETRY
    assert decide(error, Phase.POSITION) is Action.WAIT
    assert state in describe(error)
    assert "hunter2" not in describe(error)


async def test_lost_connection_is_transient(connection: AsyncConnection) -> None:
    error = await failure(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert decide(error, Phase.APPLY) is Action.RETRY
    assert describe(error) == "ConnectionDoesNotExistError: SQLSTATE 08003"


async def test_lost_connection_is_transient_for_a_handler_on_the_driver_itself(
    database_url: str,
) -> None:
    url = database_url.replace("+asyncpg", "")
    driver = await asyncpg.connect(url)
    with pytest.raises(asyncpg.PostgresError) as lost:
        await driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(asyncpg.InterfaceError) as closed:
        await driver.execute("SELECT 1")
    assert {decide(each, Phase.APPLY) for each in (lost.value, closed.value)} == {Action.RETRY}


@pytest.mark.parametrize(("value", "type_"), [(2**70, BigInteger()), ("x", Numeric())])
async def test_value_that_cannot_be_sent_is_not_transient(
    connection: AsyncConnection, value: object, type_: BigInteger
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the question
        await connection.execute(text("SELECT :v").bindparams(bindparam("v", value, type_)))
    assert decide(raised.value, Phase.APPLY) is Action.PARK


@pytest.mark.parametrize("refusal", ["ALLOW_CONNECTIONS false", "RENAME TO {0}_gone"])
async def test_database_that_refuses_connections_is_transient(
    counting: AsyncEngine, refusal: str
) -> None:
    await counting.dispose()
    name = str(counting.url.database)
    server = create_async_engine(counting.url.set(database="postgres"))
    async with server.connect() as admin:
        await admin.execution_options(isolation_level="AUTOCOMMIT")
        await admin.execute(text(f'ALTER DATABASE "{name}" {refusal.format(name)}'))
        with pytest.raises(StoreAway) as away:
            async with transaction_of(counting):
                pass
        if "RENAME" in refusal:
            await admin.execute(text(f'ALTER DATABASE "{name}_gone" RENAME TO "{name}"'))
    await server.dispose()
    assert decide(away.value, Phase.APPLY) is Action.RETRY
    assert describe(away.value).startswith("cannot reach the database: ")
    assert ("the database does not exist: create it" in describe(away.value)) is (
        "RENAME" in refusal
    )


async def test_user_that_the_database_does_not_admit_is_named(counting: AsyncEngine) -> None:
    engine = create_async_engine(counting.url.set(username="unknown"))
    with pytest.raises(StoreAway) as away:
        async with transaction_of(engine):
            pass
    await engine.dispose()
    assert "the database does not admit this user from here" in describe(away.value)


async def test_missing_privilege_or_table_is_named(counting: AsyncEngine) -> None:
    async with counting.connect() as connection:
        role = f"fewer_{counting.url.database}"
        grant = f"GRANT USAGE ON SCHEMA counting TO {role}"
        for statement in (f"CREATE ROLE {role}", grant, f"SET LOCAL ROLE {role}"):
            await connection.execute(text(statement))
        denied = await failure(connection, "INSERT INTO counting.outbox DEFAULT VALUES")
    async with counting.connect() as connection:
        gone = await failure(connection, "SELECT 1 FROM counting.missing_table")
        await connection.rollback()
        await connection.execute(text("SET TRANSACTION READ ONLY"))
        read_only = await failure(connection, "DELETE FROM counting.outbox")
    assert describe(denied) == (
        "InsufficientPrivilegeError: the database role lacks a right on table outbox that INSERT"
        " needs: GRANT it (SQLSTATE 42501)"
    )
    assert describe(gone) == (
        'UndefinedTableError: relation "counting.missing_table" does not exist:'
        " run `payrouter db upgrade` (SQLSTATE 42P01)"
    )
    assert describe(read_only) == (
        "ReadOnlySQLTransactionError: the database is read-only (SQLSTATE 25006)"
    )


async def test_deadlock_is_transient(counting: AsyncEngine) -> None:
    async def lock(first: int, second: int, met: asyncio.Barrier) -> None:
        async with counting.begin() as transaction:
            await transaction.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
            await met.wait()
            await transaction.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

    met = asyncio.Barrier(2)
    done = await asyncio.gather(lock(1, 2, met), lock(2, 1, met), return_exceptions=True)
    (error,) = [each for each in done if each is not None]
    assert decide(error, Phase.APPLY) is Action.RETRY
