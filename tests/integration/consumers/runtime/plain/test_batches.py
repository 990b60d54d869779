"""A plain batch has the effects of the general way; every other batch is left to that."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from consumers.runtime.apply.failures import Action, Phase, decide
from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.apply.offsets import Counts, FenceMoved
from consumers.runtime.apply.process import Applier
from consumers.runtime.fate import Fate
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.records import Arrived, Partition, Undecodable
from consumers.runtime.service import Driver, HandlerFailed, NotPlain, PlainHandler
from router.contract.event import Event
from tests.parts.runtime.counting import (
    PAYMENT_0,
    TABLES,
    applier,
    begun,
    counts_of,
    effects_of,
    fences_of,
    held_in,
    id_of,
    numbered,
    record,
    records,
    stored,
)

PARK = HoldDecision(Fate.PARKED, HeldReason.FAILED, "ValueError: not now")
PAYMENT_1 = Partition("payment", 1)


async def count_plainly(driver: Driver, events: Sequence[Event]) -> Sequence[Fate]:
    """Write one row for each event."""
    await driver.fetch(
        "INSERT INTO counting.effect (event_id) SELECT unnest($1::uuid[])",
        [each.id for each in events],
    )
    return [Fate.APPLIED] * len(events)


def shorter(engine: AsyncEngine, handler: PlainHandler = count_plainly) -> Applier:
    """Return an applier that tries the shorter way first."""
    return replace(applier(engine), shorter=PlainBatches(stored(engine), handler))


def refusing(error: Exception) -> PlainHandler:
    """Return a handler that writes its effects and then raises an error."""

    async def handle(driver: Driver, events: Sequence[Event]) -> Sequence[Fate]:
        await count_plainly(driver, events)
        raise error

    return handle


async def counted(engine: AsyncEngine) -> dict[Partition, Counts]:
    names = ("applied", "duplicate", "stale", "parked", "dead_lettered", "gaps")
    return {
        Partition(row.topic, row.partition): Counts(*(getattr(row, name) for name in names))
        for row in await counts_of(engine)
    }


async def test_a_plain_batch_is_applied_once_with_its_duplicates_and_gaps(
    counting: AsyncEngine,
) -> None:
    machine = shorter(counting)
    known = await begun(counting, PAYMENT_0, PAYMENT_1)
    first = await machine.apply([*records(0, 4), *records(5, 6, PAYMENT_1)], known)
    assert first.plain
    assert first.outcomes == {(PAYMENT_0, Fate.APPLIED): 5, (PAYMENT_1, Fate.APPLIED): 2}
    # A known event, a twin within the batch, and a gap of two offsets before them.
    batch = [record(7, numbered(1)), record(8, numbered(20)), record(9, numbered(20))]
    done = await machine.apply(batch, {PAYMENT_0: first.fences[PAYMENT_0]})
    assert done.plain
    assert done.outcomes == {(PAYMENT_0, Fate.DUPLICATE): 2, (PAYMENT_0, Fate.APPLIED): 1}
    assert done.received == [numbered(20).received_at]
    assert await counted(counting) == {
        PAYMENT_0: Counts(applied=6, duplicate=2, gaps=2),
        PAYMENT_1: Counts(applied=2, gaps=5),
    }
    assert await fences_of(counting) == {**first.fences, **done.fences}
    assert done.fences[PAYMENT_0].last == (await fences_of(counting))[PAYMENT_0].last
    assert sorted(await effects_of(counting)) == sorted(map(id_of, [*range(7), 20]))


async def test_a_batch_of_repeats_alone_needs_no_handler(counting: AsyncEngine) -> None:
    known = await begun(counting)
    first = await shorter(counting).apply(records(0, 2), known)
    again = [record(3 + n, numbered(n)) for n in range(3)]
    done = await shorter(counting, refusing(AssertionError())).apply(again, first.fences)
    assert done.plain
    assert done.outcomes == {(PAYMENT_0, Fate.DUPLICATE): 3}


async def test_a_database_with_columns_in_another_order_goes_the_general_way(
    counting: AsyncEngine,
) -> None:
    async with counting.begin() as connection:
        # The column returns as the last one.
        for change in ("DROP COLUMN topic", "ADD COLUMN topic text"):
            await connection.execute(text(f"ALTER TABLE counting.seen_event {change}"))
    machine, fences = shorter(counting), await begun(counting)
    with capture_logs() as log:
        for offset in (0, 3):
            done = await machine.apply(records(offset, offset + 2), fences)
            fences = done.fences
            assert not done.plain
    off = [line["tables"] for line in log if line["event"] == "plain_batches_off"]
    assert off == [["counting.seen_event"]]
    assert sorted(await effects_of(counting)) == sorted(map(id_of, range(6)))


async def parked(counting: AsyncEngine) -> Sequence[Arrived]:
    """Park a record; return one behind it."""
    batch = [record(n, numbered(n, reference="A-1")) for n in range(2)]
    await applier(counting).apply(batch[:1], await begun(counting), PARK)
    return batch[1:]


async def twin_of_parked(counting: AsyncEngine) -> Sequence[Arrived]:
    """Park a record; return another of the same event under another key."""
    await applier(counting).apply([record(0, numbered(0))], await begun(counting), PARK)
    return [record(1, numbered(0, reference="A-2"))]


async def streak(counting: AsyncEngine) -> Sequence[Arrived]:
    """Fail once; return a record that ends the streak."""
    await applier(counting).apply([spoilt(0)], await begun(counting))
    return records(1, 1)


async def conflict(counting: AsyncEngine) -> Sequence[Arrived]:
    """Apply an event; return one that contradicts it."""
    await applier(counting).apply(records(0, 0), await begun(counting))
    return [record(1, numbered(0, currency="USDC"))]


async def conflict_within(counting: AsyncEngine) -> Sequence[Arrived]:
    """Return two events that contradict each other."""
    await begun(counting)
    return [record(0, numbered(0)), record(1, numbered(0, currency="USDC"))]


async def unreadable(counting: AsyncEngine) -> Sequence[Arrived]:
    """Return a record without an event."""
    await begun(counting)
    return [*records(0, 0), spoilt(1)]


def spoilt(offset: int) -> Undecodable:
    return Undecodable(record(offset, numbered(offset)).record, "not an event")


ODD: dict[str, Callable[[AsyncEngine], Awaitable[Sequence[Arrived]]]] = {
    each.__name__: each
    for each in (parked, twin_of_parked, streak, conflict, conflict_within, unreadable)
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_batch_is_left_to_the_general_way(counting: AsyncEngine, name: str) -> None:
    batch = await ODD[name](counting)
    known = await fences_of(counting)
    before = await effects_of(counting)
    assert await shorter(counting).shorter.apply(batch, known) is None  # type: ignore[union-attr]
    # Without any effect: the general way finds everything unchanged.
    assert await fences_of(counting) == known
    assert await effects_of(counting) == before
    done = await shorter(counting).apply(batch, known)
    assert not done.plain
    assert sum(done.outcomes.values()) == len(batch)


async def test_records_behind_a_parked_one_do_not_slow_down_the_others(
    counting: AsyncEngine,
) -> None:
    await parked(counting)
    # The first batch ends the streak of the parked record.
    first = await shorter(counting).apply(records(2, 4), await fences_of(counting))
    done = await shorter(counting).apply(records(5, 6), first.fences)
    assert not first.plain
    assert done.plain
    assert len(await held_in(counting)) == 1


async def test_a_moved_fence_is_left_to_the_general_way(counting: AsyncEngine) -> None:
    known = await begun(counting)
    await applier(counting).apply(records(0, 1), known)
    done = await shorter(counting).apply(records(0, 3), known)
    assert not done.plain
    assert done.outcomes == {(PAYMENT_0, Fate.REDELIVERED): 2, (PAYMENT_0, Fate.APPLIED): 2}
    ahead = {PAYMENT_0: replace(known[PAYMENT_0], next_offset=9)}
    with pytest.raises(FenceMoved):
        await shorter(counting).apply(records(9, 9), ahead)


async def test_a_fence_that_moves_in_between_is_left_to_the_general_way(
    counting: AsyncEngine,
) -> None:
    known = await begun(counting)

    async def handle(driver: Driver, events: Sequence[Event]) -> Sequence[Fate]:
        fence = TABLES.fence
        await driver.fetch(
            str(
                update(fence)
                .values(next_offset=5, gaps=5)
                .compile(compile_kwargs={"literal_binds": True})
            )
        )
        return await count_plainly(driver, events)

    done = await shorter(counting, handle).apply(records(0, 1), known)
    assert not done.plain
    assert await effects_of(counting) == [id_of(0), id_of(1)]


@pytest.mark.parametrize("error", [NotPlain("no"), ValueError("no"), KeyError()])
async def test_what_the_shorter_handler_does_not_handle_is_left_to_the_handler(
    counting: AsyncEngine, error: Exception
) -> None:
    known = await begun(counting)
    with capture_logs() as log:
        done = await shorter(counting, refusing(error)).apply(records(0, 1), known)
    assert not done.plain
    assert await effects_of(counting) == [id_of(0), id_of(1)]
    # Leaving a batch is usual; any other exception may be a bug.
    failed = [] if isinstance(error, NotPlain) else [type(error).__name__]
    assert [line["error"] for line in log if line["event"] == "plain_batch_failed"] == failed


async def test_a_refusal_by_the_database_is_left_to_the_general_way(
    counting: AsyncEngine,
) -> None:
    async with counting.begin() as connection:
        await connection.execute(text("ALTER TABLE counting.effect ADD UNIQUE (event_id)"))
        await connection.execute(
            text("INSERT INTO counting.effect (event_id) VALUES (:id)"), {"id": id_of(1)}
        )
    known = await begun(counting)
    with pytest.raises(HandlerFailed):
        await shorter(counting).apply(records(0, 1), known)
    assert await fences_of(counting) == known


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("deadlock"),
        asyncpg.QueryCanceledError("too slow"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
async def test_what_passes_by_itself_is_raised_and_goes_the_general_way_next(
    counting: AsyncEngine, error: Exception
) -> None:
    known = await begun(counting)
    machine = shorter(counting, refusing(error))
    with pytest.raises(type(error)):
        await machine.apply(records(0, 1), known)
    assert await effects_of(counting) == []
    done = await machine.apply(records(0, 1), known)
    assert not done.plain
    with pytest.raises(type(error)):
        await machine.apply(records(2, 3), done.fences)


async def test_a_lost_connection_is_replaced(counting: AsyncEngine) -> None:
    async def ended(driver: Driver, _: Sequence[Event]) -> Sequence[Fate]:
        await driver.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
        return []

    known = await begun(counting)
    machine = shorter(counting, ended)
    with pytest.raises(Exception, match="closed") as lost:
        await machine.apply(records(0, 1), known)
    assert decide(lost.value, Phase.APPLY) is Action.RETRY
    done = await machine.apply(records(0, 1), known)
    assert not done.plain
    assert await effects_of(counting) == [id_of(0), id_of(1)]


async def test_the_handler_runs_within_the_transaction(
    counting: AsyncEngine,
) -> None:
    seen: list[bool] = []

    async def handle(driver: Driver, events: Sequence[Event]) -> Sequence[Fate]:
        assert isinstance(driver, asyncpg.Connection)
        seen.append(driver.is_in_transaction())
        return [Fate.STALE] * len(events)

    done = await shorter(counting, handle).apply(records(0, 0), await begun(counting))
    assert done.plain
    assert done.outcomes == {(PAYMENT_0, Fate.STALE): 1}
    assert seen == [True]
