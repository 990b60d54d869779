"""The model of the store is equal to PostgreSQL: the same steps lead to the same results."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.offsets import Counts
from consumers.runtime.records import Partition
from tests.integration.simulation.steps import PLACES, Settled, play, script
from tests.parts.runtime.counting import applier, brake_of, counts_of, held_in, outbox_of, stored
from tests.simulation.store.books import ModelBooks
from tests.simulation.store.database import ModelDatabase
from tests.simulation.store.rows import BRAKES, FENCES, HELD, OUTBOX, Committed

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def test_overlapping_transactions_see_and_lock_the_same(
    counting: AsyncEngine,
    chaos_long: bool,  # noqa: FBT001 - a fixture
) -> None:
    model = ModelBooks(ModelDatabase())
    await applier(counting).fences(dict.fromkeys(PLACES, 0))
    async with model.transaction() as books:
        await books.begin_fences(dict.fromkeys(PLACES, 0), {})
    waits = deadlocks = 0
    for seed in range(1000 if chaos_long else 40):
        steps = script(random.Random(seed), 12)
        before = ModelDatabase(committed=_copied(model.database))
        expected = await play(model, steps, _model_settled)
        if any("Deadlock" in said for said in expected):
            # Which of the two PostgreSQL ends is a matter of time.
            model.database.committed = before.committed
            deadlocks += 1
            continue
        assert await play(stored(counting), steps, _settled_in(counting)) == expected, seed
        assert await _stored_rows(counting) == _model_rows(model.database), seed
        waits += sum(said.endswith("waits") for said in expected)
    assert waits > 20
    assert deadlocks < 20


def _copied(database: ModelDatabase) -> Committed:
    return Committed(
        {name: dict(rows) for name, rows in database.committed.tables.items()},
        dict(database.committed.numbers),
    )


async def _model_settled(_tasks: Sequence["asyncio.Task[object]"]) -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def _settled_in(engine: AsyncEngine) -> Settled:
    async def settled(tasks: Sequence["asyncio.Task[object]"]) -> None:
        async with engine.connect() as connection:
            while True:
                running = [task for task in tasks if not task.done()]
                waiting = await connection.scalar(_WAITING) if running else 0
                if waiting == len([task for task in running if not task.done()]):
                    return
                await asyncio.wait(running, timeout=0.005)

    return settled


def _model_rows(database: ModelDatabase) -> object:
    rows = database.committed.rows
    return (
        sorted((at, each.fence.next_offset, each.counts) for at, each in rows(FENCES).items()),
        [
            (each.record.partition, each.record.offset, each.state, each.reason, each.attempts)
            for _, each in sorted(rows(HELD).items())
        ],
        [(each.outgoing.value, each.refused) for _, each in sorted(rows(OUTBOX).items())],
        rows(BRAKES)["payment"].streak if "payment" in rows(BRAKES) else 0,
    )


async def _stored_rows(engine: AsyncEngine) -> object:
    names = [each.name for each in fields(Counts)]
    return (
        sorted(
            (
                Partition(row.topic, row.partition),
                row.next_offset,
                Counts(*(getattr(row, name) for name in names)),
            )
            for row in await counts_of(engine)
        ),
        [
            (Partition(row.topic, row.partition), row.offset, row.state, row.reason, row.attempts)
            for row in await held_in(engine)
        ],
        [(row.value, row.refused) for row in await outbox_of(engine)],
        (await brake_of(engine)).streak,
    )
