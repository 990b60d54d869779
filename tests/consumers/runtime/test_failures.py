"""The one table from an exception to what is done about it, on the real driver's exceptions."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import BigInteger, Numeric, bindparam, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.failures import (
    Action,
    action_for,
    back_off,
    describe,
    park_pause,
)
from consumers.runtime.offsets import FenceMoved
from consumers.runtime.service import Poison
from consumers.runtime.store import StoreAway, transaction_of
from tests.consumers.runtime.counting import PAYMENT_0


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection to an empty database."""
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
        ("22003", Action.PARK),
        ("23505", Action.PARK),
        ("23514", Action.PARK),
        ("42P01", Action.PARK),
        ("42501", Action.PARK),
        ("55000", Action.PARK),
        ("P0001", Action.PARK),
        ("XX000", Action.PARK),
    ],
)
async def test_what_the_database_says_is_passing_or_not(
    connection: AsyncConnection, state: str, action: Action
) -> None:
    raised = f"DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '{state}'; END $$"
    error = await failure(connection, raised)
    assert action_for(error) is action
    assert state in describe(error)
    assert "hunter2" not in describe(error)


async def test_a_lost_connection_passes(connection: AsyncConnection) -> None:
    error = await failure(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert action_for(error) is Action.RETRY
    assert describe(error) == "ConnectionDoesNotExistError: SQLSTATE 08003"


async def test_a_lost_connection_passes_for_a_handler_on_the_driver_itself(
    database_url: str,
) -> None:
    url = database_url.replace("+asyncpg", "")
    driver = await asyncpg.connect(url)
    with pytest.raises(asyncpg.PostgresError) as lost:
        await driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(asyncpg.InterfaceError) as closed:
        await driver.execute("SELECT 1")
    assert {action_for(lost.value), action_for(closed.value)} == {Action.RETRY}


@pytest.mark.parametrize(("value", "type_"), [(2**70, BigInteger()), ("x", Numeric())])
async def test_a_value_that_cannot_be_sent_does_not_pass(
    connection: AsyncConnection, value: object, type_: BigInteger
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the question
        await connection.execute(text("SELECT :v").bindparams(bindparam("v", value, type_)))
    assert action_for(raised.value) is Action.PARK


@pytest.mark.parametrize("refusal", ["ALLOW_CONNECTIONS false", "RENAME TO {0}_gone"])
async def test_a_database_that_takes_no_connection_passes(
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
    assert action_for(away.value) is Action.RETRY
    assert describe(away.value).startswith("cannot reach the database: ")


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (FenceMoved(PAYMENT_0), Action.REPOSITION),
        (Poison(), Action.DEAD),
        (StoreAway(), Action.RETRY),
        (TimeoutError(), Action.RETRY),
        (PoolTimeoutError(), Action.RETRY),
        (ConnectionResetError(), Action.RETRY),
        (ZeroDivisionError(), Action.PARK),
        (KeyError("x"), Action.PARK),
    ],
)
def test_each_kind_of_exception_has_its_action(error: Exception, action: Action) -> None:
    assert action_for(error) is action


def test_the_cause_of_a_handlers_own_exception_counts() -> None:
    with pytest.raises(RuntimeError) as wrapped:
        raise RuntimeError from ConnectionResetError()
    assert action_for(wrapped.value) is Action.RETRY


def test_exceptions_that_cause_each_other_are_looked_at_once() -> None:
    first, second = KeyError("1"), KeyError("2")
    first.__cause__, second.__cause__ = second, first
    assert action_for(first) is Action.PARK


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.2), (4, 1.6), (40, 15.0), (10**6, 15.0)])
def test_a_wait_grows_up_to_its_longest(attempt: int, longest: float) -> None:
    waits = [back_off(attempt, 15) for _ in range(200)]
    assert longest / 2 <= min(waits) <= max(waits) <= longest


def test_a_parked_record_rests_four_times_as_long_after_each_try() -> None:
    for attempts, longest in [(1, 1.0), (2, 4.0), (3, 16.0), (7, 3600.0), (10**6, 3600.0)]:
        waits = [park_pause(attempts, 1, 3600) for _ in range(200)]
        assert longest / 2 <= min(waits) <= max(waits) <= longest


async def test_a_deadlock_passes(counting: AsyncEngine) -> None:
    async def lock(first: int, second: int, met: asyncio.Barrier) -> None:
        async with counting.begin() as transaction:
            await transaction.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
            await met.wait()
            await transaction.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

    met = asyncio.Barrier(2)
    done = await asyncio.gather(lock(1, 2, met), lock(2, 1, met), return_exceptions=True)
    (error,) = [each for each in done if each is not None]
    assert action_for(error) is Action.RETRY
