"""A batch is applied completely or not at all, and each of its records once."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.offsets import FenceMoved
from consumers.runtime.apply.process import BatchResult
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition
from consumers.runtime.service import HandlerFailed
from router.contract.event import Event
from tests.parts.runtime.counting import (
    PAYMENT_0,
    TABLES,
    applier,
    begun,
    count,
    counts_of,
    effects_of,
    fences_of,
    id_of,
    numbered,
    record,
    records,
    set_fence,
)

PAYOUT_1 = Partition("payout", 1)


async def seen(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        statement = select(func.count()).select_from(TABLES.seen_event)
        return await connection.scalar(statement) or 0


def words(applied: BatchResult) -> dict[str, int]:
    summed: dict[str, int] = {}
    for (_, word), number in applied.outcomes.items():
        summed[word] = summed.get(word, 0) + number
    return summed


async def test_batch_leaves_one_effect_per_event_and_moves_the_fence_past_it(
    counting: AsyncEngine,
) -> None:
    batch = [*records(0, 2), *(record(n, numbered(100 + n), PAYOUT_1) for n in range(2))]
    applied = await applier(counting).apply(batch, await begun(counting, PAYMENT_0, PAYOUT_1))
    assert await effects_of(counting) == [each.event.id for each in batch]
    assert {p: f.next_offset for p, f in applied.fences.items()} == {PAYMENT_0: 3, PAYOUT_1: 2}
    assert await fences_of(counting) == applied.fences
    assert words(applied) == {"applied": 5}


async def test_the_same_records_again_change_nothing(counting: AsyncEngine) -> None:
    known = await begun(counting)
    await applier(counting).apply(records(0, 2), known)
    before = await counts_of(counting)
    again = await applier(counting).apply(records(0, 2), known)
    assert words(again) == {"redelivered": 3}
    assert await effects_of(counting) == [id_of(n) for n in range(3)]
    assert await counts_of(counting) == before


async def test_already_applied_part_of_a_batch_is_dropped_and_the_rest_applied(
    counting: AsyncEngine,
) -> None:
    known = await begun(counting)
    await applier(counting).apply(records(0, 2), known)
    overlapping = await applier(counting).apply(records(1, 4), known)
    assert words(overlapping) == {"redelivered": 2, "applied": 2}
    assert await effects_of(counting) == [id_of(n) for n in range(5)]


async def test_every_passed_offset_is_counted(counting: AsyncEngine) -> None:
    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        await count(transaction, events)
        return [Fate.STALE if each.amount is None else Fate.APPLIED for each in events]

    stale = numbered(7, amount=None, currency=None)
    batch = [*records(3, 4), record(6, numbered(3)), record(9, stale), record(10, numbered(10))]
    applied = await applier(counting, handle).apply(batch, await begun(counting, first=3))
    assert words(applied) == {"applied": 3, "duplicate": 1, "stale": 1}
    (row,) = await counts_of(counting)
    assert (row.first_offset, row.next_offset) == (3, 11)
    assert (row.applied, row.duplicate, row.stale, row.gaps) == (3, 1, 1, 3)


async def test_duplicates_in_a_batch_have_one_effect(counting: AsyncEngine) -> None:
    batch = [record(0, numbered(1)), record(1, numbered(1)), record(2, numbered(2))]
    applied = await applier(counting).apply(batch, await begun(counting))
    assert words(applied) == {"applied": 2, "duplicate": 1}
    assert await effects_of(counting) == [id_of(1), id_of(2)]


async def test_failing_handler_leaves_no_effect(counting: AsyncEngine) -> None:
    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        await count(transaction, events)
        raise ZeroDivisionError

    known = await begun(counting)
    with pytest.raises(HandlerFailed) as failed:
        await applier(counting, handle).apply(records(0, 9), known)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    assert await effects_of(counting) == []
    assert await seen(counting) == 0
    assert await fences_of(counting) == known
    await applier(counting).apply(records(0, 9), known)
    assert len(await effects_of(counting)) == 10


@pytest.mark.parametrize("answer", [[Fate.APPLIED], [Fate.APPLIED, Fate.PARKED], [None, None]])
async def test_handler_with_invalid_answer_leaves_no_effect(
    counting: AsyncEngine, answer: list[Fate]
) -> None:
    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        await count(transaction, events)
        return answer

    with pytest.raises(HandlerFailed) as failed:
        await applier(counting, handle).apply(records(0, 1), await begun(counting))
    assert "APPLIED or Fate.STALE for each of 2 events" in str(failed.value.__cause__)
    assert await effects_of(counting) == []


async def test_fence_moved_during_the_batch_rolls_the_effect_back(
    counting: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await begun(counting)

    async def unlocked(*_: object) -> object:
        # As if the fence were not locked: only compare-and-set protects it.
        await set_fence(counting, PAYMENT_0, next_offset=2, gaps=2)
        return known

    monkeypatch.setattr("consumers.runtime.apply.stored_books.lock_fences", unlocked)
    with pytest.raises(FenceMoved):
        await applier(counting).apply(records(0, 2), known)
    assert await effects_of(counting) == []
    assert (await fences_of(counting))[PAYMENT_0].next_offset == 2


@pytest.mark.parametrize("zombies", [2, 5])
async def test_one_of_several_zombies_with_the_same_batch_has_the_effect(
    counting: AsyncEngine, zombies: int
) -> None:
    for round_ in range(5):
        known = await begun(counting)
        first = known[PAYMENT_0].next_offset
        batch = records(first, first + 49)
        done = await asyncio.gather(
            *(applier(counting).apply(batch, known) for _ in range(zombies))
        )
        assert sum(each.outcomes[PAYMENT_0, Fate.APPLIED] for each in done) == 50
        assert len(await effects_of(counting)) == 50 * (round_ + 1)
    assert len(set(await effects_of(counting))) == 250


async def test_zombies_that_share_some_records_apply_each_once(counting: AsyncEngine) -> None:
    known = await begun(counting)
    batches: list[list[Decoded]] = [records(0, 30), records(0, 99), records(0, 60)]
    await asyncio.gather(*(applier(counting).apply(batch, known) for batch in batches))
    assert await effects_of(counting) == [id_of(n) for n in range(100)]


async def test_deleted_fence_stops_the_batch(counting: AsyncEngine) -> None:
    known = await begun(counting)
    async with counting.begin() as connection:
        await connection.execute(delete(TABLES.fence))
    with pytest.raises(FenceMoved):
        await applier(counting).apply(records(0, 2), known)
    assert await effects_of(counting) == []
