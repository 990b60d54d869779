"""What waits in the store: counted for the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.brake import read_brake
from consumers.runtime.held import DONE
from consumers.runtime.tables import RuntimeTables


@dataclass(frozen=True)
class Waiting:
    """How many records are held by state, for how long the oldest; the brake; the outbox.

    What the broker refused for good is in the outbox, and does not wait.
    """

    held: Mapping[str, int]
    oldest: Mapping[str, float]
    braked: bool
    outbox: int
    refused: int


async def read_waiting(connection: AsyncConnection, tables: RuntimeTables) -> Waiting:
    """Count what waits."""
    held = tables.held
    oldest = func.clock_timestamp() - func.min(held.c.first_failed_at)
    rows = await connection.execute(
        select(held.c.state, func.count(), oldest)
        .where(held.c.state != DONE)
        .group_by(held.c.state)
    )
    found = [(str(state), int(number), age.total_seconds()) for state, number, age in rows]
    box = tables.outbox
    row = await connection.execute(select(func.count(), func.count(box.c.refused)))
    in_outbox, refused = row.one()
    brake = await read_brake(connection, tables)
    return Waiting(
        held={state: number for state, number, _ in found},
        oldest={state: age for state, _, age in found},
        braked=brake.held_since is not None,
        outbox=in_outbox - refused,
        refused=refused,
    )
