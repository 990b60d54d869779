"""The fence and the event-id check, separately, in the caller's transaction."""

import asyncio
import random

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.offsets import (
    Claims,
    Counts,
    Fence,
    FenceMoved,
    LastApplied,
    begin_fences,
    claim_events,
    lock_fences,
    move_fence,
    unclaim_events,
)
from consumers.runtime.records import Decoded, Partition, unfetchable
from router.contract.event import fingerprint
from tests.parts.runtime.counting import (
    CLUSTER,
    PAYMENT_0,
    TABLES,
    begun,
    counts_of,
    fences_of,
    numbered,
    record,
    records,
    set_fence,
)


async def claiming(engine: AsyncEngine, arrived: list[Decoded]) -> Claims:
    async with engine.begin() as transaction:
        return await claim_events(transaction, TABLES, arrived)


async def claimed(engine: AsyncEngine, arrived: list[Decoded]) -> frozenset[int]:
    claims = await claiming(engine, arrived)
    assert claims.conflicts == {}
    return claims.new


async def test_begin_does_not_change_an_existing_fence(counting: AsyncEngine) -> None:
    first = await begun(counting, first=7)
    again = await begun(counting, first=9)
    assert first == again == {PAYMENT_0: Fence(PAYMENT_0, 7, 7)}


async def test_fences_of_another_cluster_are_not_seen(counting: AsyncEngine) -> None:
    await begun(counting)
    assert await fences_of(counting, "another") == {}


async def test_moved_fence_stores_its_last_record_and_counts(
    counting: AsyncEngine,
) -> None:
    fences = await begun(counting)
    last = record(4, numbered(4)).record
    counts = Counts(applied=2, duplicate=1, stale=1, gaps=1)
    async with counting.begin() as transaction:
        moved = await move_fence(transaction, TABLES, CLUSTER, fences[PAYMENT_0], last, counts)
    assert moved == Fence(PAYMENT_0, 0, 5, LastApplied(4, last.timestamp, last.crc))
    assert await fences_of(counting) == {PAYMENT_0: moved}
    (row,) = await counts_of(counting)
    assert (row.applied, row.duplicate, row.stale, row.gaps, row.next_offset) == (2, 1, 1, 1, 5)


async def test_fence_after_an_unfetchable_record_has_nothing_to_compare(
    counting: AsyncEngine,
) -> None:
    known = (await begun(counting))[PAYMENT_0]
    last = unfetchable(PAYMENT_0, 0, "whatever").record
    counts = Counts(dead_lettered=1)
    async with counting.begin() as transaction:
        moved = await move_fence(transaction, TABLES, CLUSTER, known, last, counts)
    assert moved == Fence(PAYMENT_0, 0, 1, None)
    assert await fences_of(counting) == {PAYMENT_0: moved}


async def test_fence_moved_by_another_process_is_not_moved(counting: AsyncEngine) -> None:
    known = (await begun(counting))[PAYMENT_0]
    await set_fence(counting, PAYMENT_0, next_offset=3, gaps=3)
    async with counting.begin() as transaction:
        with pytest.raises(FenceMoved) as moved:
            await move_fence(
                transaction, TABLES, CLUSTER, known, record(0, numbered(0)).record, Counts(1)
            )
    assert moved.value.partition == PAYMENT_0


async def test_lowered_or_deleted_fence_is_not_locked(counting: AsyncEngine) -> None:
    known = {PAYMENT_0: Fence(PAYMENT_0, 0, 5)}
    await begun(counting)
    async with counting.begin() as transaction:
        with pytest.raises(FenceMoved):
            await lock_fences(transaction, TABLES, CLUSTER, known)
    async with counting.begin() as transaction:
        await transaction.execute(delete(TABLES.fence))
        with pytest.raises(FenceMoved):
            await lock_fences(transaction, TABLES, CLUSTER, known)


async def test_fence_above_the_expected_offset_is_locked_unchanged(
    counting: AsyncEngine,
) -> None:
    known = await begun(counting)
    await set_fence(counting, PAYMENT_0, next_offset=3, gaps=3)
    async with counting.begin() as transaction:
        locked = await lock_fences(transaction, TABLES, CLUSTER, known)
    assert locked[PAYMENT_0].next_offset == 3


async def test_fences_locked_in_opposite_orders_do_not_deadlock(counting: AsyncEngine) -> None:
    partitions = [Partition(topic, n) for topic in ("payment", "payout") for n in range(12)]
    fences = await begun(counting, *partitions)

    async def lock(order: list[Partition]) -> None:
        for _ in range(20):
            async with counting.begin() as transaction:
                expected = {partition: fences[partition] for partition in order}
                await lock_fences(transaction, TABLES, CLUSTER, expected)

    await asyncio.gather(lock(partitions), lock(partitions[::-1]), lock(partitions[::2]))


async def test_fences_begun_in_opposite_orders_do_not_deadlock(counting: AsyncEngine) -> None:
    async def begin(order: list[Partition]) -> None:
        async with counting.begin() as transaction:
            await begin_fences(transaction, TABLES, CLUSTER, dict.fromkeys(order, 0))

    for topic in ("payment", "payout", "subscription"):
        partitions = [Partition(topic, n) for n in range(500)]
        await asyncio.gather(*(begin(partitions[::step]) for step in (1, -1, 1, -1)))
    assert len(await fences_of(counting)) == 1500


async def test_an_event_is_new_once(counting: AsyncEngine) -> None:
    assert await claimed(counting, records(0, 2)) == {0, 1, 2}
    resent = [record(10 + number, numbered(number)) for number in range(4)]
    assert await claimed(counting, resent) == {3}


async def test_empty_batch_claims_nothing(counting: AsyncEngine) -> None:
    assert await claimed(counting, []) == set()


async def test_first_of_two_duplicates_in_a_batch_is_new(counting: AsyncEngine) -> None:
    twins = [record(0, numbered(2)), record(1, numbered(1)), record(2, numbered(2))]
    assert await claimed(counting, twins) == {0, 1}


async def test_rolled_back_claim_leaves_the_event_new(counting: AsyncEngine) -> None:
    async with counting.connect() as connection, connection.begin() as transaction:
        await claim_events(connection, TABLES, records(0, 2))
        await transaction.rollback()
    assert await claimed(counting, records(0, 2)) == {0, 1, 2}


async def test_contradiction_within_a_batch_is_a_conflict(counting: AsyncEngine) -> None:
    original = numbered(1)
    twins = [record(0, original), record(1, numbered(1, amount="2000.01")), record(2, original)]
    claims = await claiming(counting, twins)
    assert claims == Claims(frozenset({0}), {1: fingerprint(original)})


async def test_contradiction_to_a_stored_event_is_a_conflict(counting: AsyncEngine) -> None:
    await claimed(counting, [record(0, numbered(1))])
    newcomers = [
        record(5, numbered(0)),
        record(6, numbered(1, currency="USDC")),
        record(7, numbered(1)),
        record(8, numbered(1, amount="1")),
    ]
    claims = await claiming(counting, newcomers)
    assert claims.new == {0}
    assert claims.conflicts == dict.fromkeys((1, 3), fingerprint(numbered(1)))


async def test_undone_claim_leaves_the_event_new(counting: AsyncEngine) -> None:
    async with counting.begin() as transaction:
        await claim_events(transaction, TABLES, records(0, 2))
        await unclaim_events(transaction, TABLES, records(1, 2))
    assert await claimed(counting, records(0, 2)) == {1, 2}


async def test_missing_fact_or_reformatted_amount_is_not_a_conflict(
    counting: AsyncEngine,
) -> None:
    await claimed(counting, [record(0, numbered(1))])
    again = [
        record(1, numbered(1, amount="2000")),
        record(2, numbered(1, amount=None, currency=None)),
    ]
    assert await claimed(counting, again) == set()


async def test_concurrent_claims_in_different_orders_claim_each_id_once(
    counting: AsyncEngine,
) -> None:
    for round_ in range(5):
        base = records(round_ * 500, round_ * 500 + 499)
        orders = [base, base[::-1], random.Random(1).sample(base, 500), base[250:] + base[:250]]
        taken = await asyncio.gather(*(claimed(counting, order) for order in orders))
        assert sum(map(len, taken)) == 500
    async with counting.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(TABLES.seen_event)) == 2500
