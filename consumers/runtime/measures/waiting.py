"""Counts the backlog in a consumer's store, for the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake, read_brakes
from consumers.runtime.apply.held import HeldReason
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import DONE, RuntimeTables


@dataclass(frozen=True)
class StoreBacklog:
    """Held records by state, with the age of the oldest in seconds; the brakes; the outbox.

    `conflicts` counts the dead records that contradict a known event. `refused` counts
    the records that the broker refused permanently; `outbox` does not include them.
    """

    held: Mapping[str, int]
    oldest: Mapping[str, float]
    brakes: Mapping[str, Brake]
    outbox: int
    refused: int
    conflicts: int = 0


async def read_waiting(connection: AsyncConnection, tables: RuntimeTables) -> StoreBacklog:
    """Count the backlog."""
    held = tables.held
    oldest = func.clock_timestamp() - func.min(held.c.first_failed_at)
    conflicts = func.count().filter(held.c.reason == HeldReason.CONFLICT.value)
    rows = await connection.execute(
        select(held.c.state, func.count(), oldest, conflicts)
        .where(held.c.state != DONE)
        .group_by(held.c.state)
    )
    found = {str(state): (int(number), age, against) for state, number, age, against in rows}
    box = tables.outbox
    row = await connection.execute(select(func.count(), func.count(box.c.refused)))
    in_outbox, refused = row.one()
    return StoreBacklog(
        held={state: number for state, (number, _, _) in found.items()},
        oldest={state: age.total_seconds() for state, (_, age, _) in found.items()},
        brakes=await read_brakes(connection, tables),
        outbox=in_outbox - refused,
        refused=refused,
        conflicts=found[Fate.DEAD][2] if Fate.DEAD in found else 0,
    )
