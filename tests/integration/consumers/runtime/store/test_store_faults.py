"""A failure of the store is not the record's fault, and a handler's is not the store's."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.apply.failures import Action, Phase, decide, describe
from consumers.runtime.apply.fault import Fault, blame
from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.apply.retry import RetryRound, retry_due
from consumers.runtime.fate import Fate
from consumers.runtime.service import Handler, HandlerFailed, HandlerSlow, Poison
from consumers.runtime.settings import Tuning
from consumers.runtime.store.database import StoreAway
from router.contract.event import Event
from tests.parts.runtime.counting import (
    applier,
    begun,
    count,
    effects_of,
    held_in,
    id_of,
    numbered,
    record,
    records,
    stored,
)

PARK = HoldDecision(Fate.PARKED, HeldReason.FAILED, "ValueError: not now")
TUNING = Tuning(attempts=2, park_seconds=0.001, park_longest_seconds=0.001)
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '{0}'; END $$"


async def failure(connection: AsyncConnection, state: str) -> DBAPIError:
    with pytest.raises(DBAPIError) as raised:
        await connection.execute(text(RAISE.format(state)))
    await connection.rollback()
    return raised.value


@pytest.mark.parametrize(
    ("fault", "states"),
    [
        (Fault.HANDLER, ("21000", "22003", "22021", "23505", "23514", "23P01", "54000", "P0001")),
        (Fault.STORE, ("08006", "25006", "40001", "40P01", "42501", "42P01", "42703", "53100")),
        (Fault.STORE, ("53300", "55000", "55P03", "57P01", "58030", "XX000", "XX001", "P0002")),
        (Fault.SLOW, ("57014", "25P03")),
    ],
)
async def test_refused_data_is_the_handlers_fault_and_any_other_refusal_the_stores(
    counting: AsyncEngine, fault: Fault, states: Sequence[str]
) -> None:
    async with counting.connect() as connection:
        for state in states:
            error = await failure(connection, state)
            assert blame(error).fault is fault, state
            assert blame(error.orig or error).fault is fault, state
            wrapped = RuntimeError("wrapped")
            wrapped.__context__ = error
            assert blame(wrapped).error in {error, error.orig}, state
            wrapped.__suppress_context__ = True
            assert blame(wrapped).fault is Fault.HANDLER


async def test_aborted_transaction_is_the_fault_of_the_statement_that_aborted_it(
    counting: AsyncEngine,
) -> None:
    async with counting.connect() as connection:
        aborted = await failure(connection, "25P02")
        for state, fault in [("23505", Fault.HANDLER), ("25006", Fault.STORE)]:
            first = await failure(connection, state)
            assert blame(aborted, first).fault is fault
            # An exception that the handler raises afterwards is a consequence of it, too.
            assert blame(KeyError("x"), first).fault is fault
        with pytest.raises(DBAPIError) as unsent:
            await connection.execute(
                text("SELECT :v").bindparams(bindparam("v", 2**70, BigInteger()))
            )
    assert blame(unsent.value).fault is Fault.HANDLER
    assert blame(aborted).fault is Fault.HANDLER
    assert blame(asyncpg.InterfaceError("closed")).fault is Fault.UNKNOWN
    assert blame(StoreAway()).fault is Fault.STORE
    assert blame(TimeoutError()).fault is Fault.UNKNOWN
    assert blame(KeyError("x")).fault is Fault.HANDLER


async def cut_off(transaction: AsyncConnection) -> None:
    """Make the server end the session, and swallow the error."""
    with contextlib.suppress(DBAPIError):
        await transaction.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


@pytest.mark.parametrize("then", [None, KeyError("x"), Poison("never")])
async def test_lost_connection_is_the_stores_fault_for_any_exception_of_the_handler(
    counting: AsyncEngine, then: Exception | None
) -> None:
    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        await cut_off(transaction)
        if then is not None:
            raise then from None
        return [Fate.APPLIED] * len(events)

    error = await raised_by(counting, handle)
    assert decide(error, Phase.APPLY) is Action.RETRY, describe(error)
    assert await effects_of(counting) == []


def saying(*statements: str, swallow: bool = False, then: Exception | None = None) -> Handler:
    """Return a handler that executes statements and may then raise."""

    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        for statement in statements:
            with contextlib.suppress(DBAPIError) if swallow else contextlib.nullcontext():
                await transaction.execute(text(statement))
        if then is not None:
            raise then
        return [Fate.APPLIED] * len(events)

    return handle


async def raised_by(counting: AsyncEngine, handle: Handler) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the question
        await applier(counting, handle).apply(records(0, 1), await begun(counting))
    return raised.value


DEFERRED = """
CREATE TABLE counting.promise (n int, CONSTRAINT kept FOREIGN KEY (n) REFERENCES
  counting.kept (n) DEFERRABLE INITIALLY DEFERRED)"""


NAMES = "array_to_string(ARRAY(SELECT md5(n::text) FROM generate_series(1, 200) n), '')"
TOO_LARGE = (
    f"INSERT INTO counting.named VALUES ({NAMES})",
    "INSERT INTO counting.kept VALUES (7), (7) ON CONFLICT (n) DO UPDATE SET n = 7",
)


async def test_deferred_or_swallowed_failure_fails_in_the_handler(
    counting: AsyncEngine,
) -> None:
    async with counting.begin() as connection:
        await connection.execute(text("CREATE TABLE counting.kept (n int PRIMARY KEY)"))
        await connection.execute(text("CREATE TABLE counting.named (name text PRIMARY KEY)"))
        await connection.execute(text(DEFERRED))
    broken, read_only = "INSERT INTO counting.promise VALUES (1)", RAISE.format("25006")
    for handle in (
        saying(broken),
        saying("SELECT 1/0", swallow=True),
        saying("SELECT 1/0", "SELECT 1", swallow=True),
        saying(RAISE.format("23505"), swallow=True, then=KeyError("x")),
    ):
        assert isinstance(await raised_by(counting, handle), HandlerFailed)
    for handle in (
        saying(read_only),
        saying(read_only, swallow=True),
        saying(read_only, "SELECT 1", swallow=True),
        saying(read_only, swallow=True, then=KeyError("x")),
        saying(read_only, swallow=True, then=Poison("never")),
    ):
        error = await raised_by(counting, handle)
        assert "SQLSTATE 25006" in describe(error)
        assert not isinstance(error, HandlerFailed | Poison)
    slow = await raised_by(counting, saying(RAISE.format("57014")))
    assert (type(slow), describe(slow)) == (HandlerSlow, "QueryCanceledError: SQLSTATE 57014")
    assert isinstance(await raised_by(counting, saying(then=Poison("never"))), Poison)
    # Data that is too large to store is the event's fault, even if the store is healthy.
    for statement in TOO_LARGE:
        error = await raised_by(counting, saying(statement))
        assert isinstance(error, HandlerFailed), describe(error)
    own = await raised_by(counting, saying(then=asyncpg.InterfaceError("too many values")))
    assert isinstance(own, HandlerFailed)
    # A savepoint that was rolled back leaves no trace of its failure.
    tried = ("SAVEPOINT s", read_only, "ROLLBACK TO s")
    own = await raised_by(counting, saying(*tried, swallow=True, then=KeyError("x")))
    assert isinstance(own, HandlerFailed)
    assert await effects_of(counting) == []


async def test_failure_rolled_back_by_a_savepoint_does_not_decide_later_errors(
    counting: AsyncEngine,
) -> None:
    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        with contextlib.suppress(DBAPIError):
            async with transaction.begin_nested():
                await transaction.execute(text("SELECT 1/0"))
        with contextlib.suppress(DBAPIError):
            await transaction.execute(text(RAISE.format("25006")))
        return [Fate.APPLIED] * len(events)

    error = await raised_by(counting, handle)
    assert "SQLSTATE 25006" in describe(error)
    assert not isinstance(error, HandlerFailed)


async def parked_two(counting: AsyncEngine) -> None:
    """Park two records of different keys."""
    fences = await begun(counting)
    for number in range(2):
        batch = [record(number, numbered(number))]
        fences = (await applier(counting).apply(batch, fences, PARK)).fences


async def tries(engine: AsyncEngine, handle: Handler = count) -> RetryRound:
    return await retry_due(applier(engine, handle), stored(engine), TUNING)


async def again_and_again(ask: Callable[[], Awaitable[RetryRound]]) -> RetryRound:
    """Retry more often than a record has attempts; return the last round."""
    for _ in range(2 * TUNING.attempts):
        await ask()
    return await ask()


async def test_read_only_database_costs_a_parked_record_no_attempt(
    counting: AsyncEngine,
) -> None:
    await parked_two(counting)
    before = await held_in(counting)
    name = str(counting.url.database)
    server = create_async_engine(counting.url.set(database="postgres"))
    try:
        async with server.connect() as admin:
            await admin.execution_options(isolation_level="AUTOCOMMIT")
            setting = f'ALTER DATABASE "{name}" {{}} default_transaction_read_only'
            await admin.execute(text(setting.format("SET") + " = on"))
            await counting.dispose()
            done = await again_and_again(lambda: tries(counting))
            assert "SQLSTATE 25006" in describe(done.failure or KeyError())
            assert (done.tries, await held_in(counting)) == ([], before)
            await admin.execute(text(setting.format("RESET")))
    finally:
        await server.dispose()
    await counting.dispose()
    done = await tries(counting)
    assert ([each.fate for each in done.tries], done.failure) == ([Fate.APPLIED] * 2, None)


@pytest.fixture
async def clerk(counting: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose role has all privileges on the consumer's schema, until revoked."""
    role = f"clerk_{uuid4().hex[:12]}"
    async with counting.begin() as admin:
        await admin.execute(text(f"CREATE ROLE {role}"))
        await admin.execute(text(f"GRANT USAGE ON SCHEMA counting TO {role}"))
        await admin.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA counting TO {role}"))
    engine = create_async_engine(
        counting.url, connect_args={"server_settings": {"role": role, "application_name": role}}
    )
    try:
        yield engine
    finally:
        await engine.dispose()
        async with counting.begin() as admin:
            await admin.execute(text(f"DROP OWNED BY {role}"))
            await admin.execute(text(f"DROP ROLE {role}"))


async def test_missing_privilege_costs_no_attempt_and_others_are_retried(
    counting: AsyncEngine, clerk: AsyncEngine
) -> None:
    await parked_two(counting)

    async def half(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        if events[0].id == id_of(0):
            return await count(transaction, events)
        return [Fate.STALE]

    async with counting.begin() as admin:
        role = await _role_of(clerk)
        await admin.execute(text(f"REVOKE INSERT ON counting.effect FROM {role}"))
    first = await tries(clerk, half)
    assert [(each.offset, each.fate) for each in first.tries] == [(1, Fate.STALE)]
    assert "SQLSTATE 42501" in describe(first.failure or KeyError())
    await again_and_again(lambda: tries(clerk, half))
    (left,) = await held_in(counting, "parked")
    assert (left.offset, left.attempts, left.reason) == (0, 1, "failed")
    assert left.error == (
        "InsufficientPrivilegeError: the database role lacks a right on table effect that INSERT"
        " needs: GRANT it (SQLSTATE 42501)"
    )
    async with counting.begin() as admin:
        await admin.execute(text(f"GRANT INSERT ON counting.effect TO {role}"))
    done = await again_until_applied(clerk, half)
    assert await effects_of(counting) == [id_of(0)]
    assert done.failure is None


async def again_until_applied(engine: AsyncEngine, handle: Handler) -> RetryRound:
    while not (done := await tries(engine, handle)).tries:
        assert done.failure is None
    return done


async def test_missing_privilege_on_a_runtime_table_is_the_stores_fault(
    counting: AsyncEngine, clerk: AsyncEngine
) -> None:
    await parked_two(counting)
    machine = applier(clerk)
    async with counting.begin() as admin:
        role = await _role_of(clerk)
        await admin.execute(text(f"REVOKE INSERT ON counting.seen_event FROM {role}"))
    with pytest.raises(DBAPIError) as refused:
        await machine.apply([record(2, numbered(2))], await begun(counting))
    assert "42501" in describe(refused.value)
    before = [(row.state, row.attempts) for row in await held_in(counting)]
    done = await again_and_again(lambda: tries(clerk))
    assert done.tries == []
    assert [(row.state, row.attempts) for row in await held_in(counting)] == before


async def _role_of(engine: AsyncEngine) -> str:
    async with engine.connect() as connection:
        return str(await connection.scalar(text("SELECT current_user")))
