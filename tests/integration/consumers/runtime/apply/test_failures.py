"""Decision about errors in every phase, with exceptions of the real driver."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka.errors import (
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaConnectionError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from asyncpg.exceptions import SerializationError
from sqlalchemy import BigInteger, Numeric, bindparam, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.apply.failures import (
    SLOW_TRIES,
    Action,
    Phase,
    back_off,
    decide,
    describe,
    park_pause,
)
from consumers.runtime.apply.offsets import FenceMoved
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.store.database import StoreAway, transaction_of
from consumers.runtime.store.schema_version import SchemaOutdated
from tests.parts.runtime.counting import PAYMENT_0


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


R, W, P, D, S = Action.RETRY, Action.WAIT, Action.PARK, Action.DEAD, Action.RAISE
HERE = (Phase.START, Phase.POSITION, Phase.APPLY, Phase.HOLD, Phase.PARKED)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "actions"),
    [
        (FenceMoved(PAYMENT_0), (S, S, Action.REPOSITION, Action.REPOSITION, Action.REPOSITION)),
        (Poison(), (S, S, D, W, D)),
        (caused(HandlerFailed(), Poison()), (S, S, D, W, D)),
        (caused(HandlerFailed(), TimeoutError()), (R, W, P, W, P)),
        (HandlerSlow(), (R, W, R, R, P)),
        (SchemaOutdated(), (S, W, R, R, R)),
        (StoreAway(), (R, W, R, R, R)),
        (TimeoutError(), (R, W, R, R, R)),
        (PoolTimeoutError(), (R, W, R, R, R)),
        (ConnectionResetError(), (R, W, R, R, R)),
        (asyncpg.PostgresError(), (R, W, W, W, R)),
        (KafkaConnectionError(), (R, W, P, W, P)),
        (ZeroDivisionError(), (S, S, P, W, P)),
        (KeyError("x"), (S, S, P, W, P)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_action_in_each_phase(
    error: Exception, actions: tuple[Action, ...]
) -> None:
    assert tuple(decide(error, phase) for phase in HERE) == actions


@pytest.mark.parametrize(
    ("error", "fetching", "looking"),
    [
        (OffsetOutOfRangeError({}), Action.REPOSITION, Action.REPOSITION),
        (NoOffsetForPartitionError(), Action.REPOSITION, Action.REPOSITION),
        (IllegalStateError(), Action.REPOSITION, Action.REPOSITION),
        (GroupAuthorizationFailedError("g"), Action.RECONNECT, Action.REPOSITION),
        (KafkaConnectionError(), Action.RECONNECT, Action.REPOSITION),
        (UnsupportedCodecError(), Action.NARROW, Action.HALT),
        (CorruptRecordException(), Action.NARROW, Action.DEAD),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), Action.NARROW, Action.DEAD),
        (ValueError(), Action.NARROW, Action.DEAD),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_of_the_broker_has_its_action(
    error: Exception, fetching: Action, looking: Action
) -> None:
    assert (decide(error, Phase.FETCH), decide(error, Phase.REREAD)) == (fetching, looking)


@pytest.mark.parametrize("error", [Poison(), HandlerFailed(), ZeroDivisionError()])
def test_batch_is_split_before_a_record_is_blamed(error: Exception) -> None:
    assert decide(error, Phase.APPLY, records=2) is Action.SPLIT


def test_too_slow_batch_is_retried_then_split_then_its_record_is_parked() -> None:
    def of(phase: Phase, attempt: int, records: int) -> Action:
        return decide(HandlerSlow(), phase, attempt, records)

    assert of(Phase.APPLY, SLOW_TRIES - 1, 9) is Action.RETRY
    assert of(Phase.APPLY, SLOW_TRIES, 9) is Action.SPLIT
    assert of(Phase.APPLY, SLOW_TRIES, 1) is Action.PARK
    assert of(Phase.HOLD, SLOW_TRIES, 1) is Action.WAIT


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


def test_an_error_without_a_message_is_described_too() -> None:
    assert describe(SerializationError()) == "SerializationError: SQLSTATE 40001"


def test_cause_of_a_handlers_exception_decides() -> None:
    with pytest.raises(RuntimeError) as wrapped:
        raise RuntimeError from ConnectionResetError()
    assert decide(wrapped.value, Phase.APPLY) is Action.RETRY


def test_cycle_of_causes_is_visited_once() -> None:
    first, second = KeyError("1"), KeyError("2")
    first.__cause__, second.__cause__ = second, first
    assert decide(first, Phase.APPLY) is Action.PARK


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.2), (4, 1.6), (40, 15.0), (10**6, 15.0)])
def test_back_off_grows_up_to_its_limit(attempt: int, longest: float) -> None:
    waits = [back_off(attempt, 15) for _ in range(200)]
    assert longest / 2 <= min(waits) <= max(waits) <= longest


def test_parked_record_waits_four_times_as_long_after_each_attempt() -> None:
    for attempts, longest in [(1, 1.0), (2, 4.0), (3, 16.0), (7, 3600.0), (10**6, 3600.0)]:
        waits = [park_pause(attempts, 1, 3600) for _ in range(200)]
        assert longest / 2 <= min(waits) <= max(waits) <= longest


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
