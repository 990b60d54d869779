"""The brake: many failures in a row are not the records' fault but ours.

It is a row, so that a restart does not let go of it; only a command does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.tables import RuntimeTables


class BrakeHolds(Exception):  # noqa: N818 - reads as what happened
    """The consumer stands still until `payrouter brake clear`."""

    def __init__(self, brake: "Brake") -> None:
        """Say since when, and why."""
        super().__init__(str(brake))
        self.brake = brake


@dataclass(frozen=True)
class Brake:
    """How many records in a row could not be applied, and since when it holds."""

    streak: int
    held_since: datetime | None
    detail: str | None

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.held_since is None:
            return f"the brake is off, {self.streak} records in a row could not be applied"
        return f"the brake holds since {self.held_since:%Y-%m-%d %H:%M:%S %Z}: {self.detail}"

    def after(self, failing: Sequence[bool | None], limit: int) -> tuple[int, int | None]:
        """Walk over records, failing, good, or neither; return the streak, and how many are passed.

        The second is None where the streak stays below the limit: all are.
        """
        streak = self.streak
        for passed, fails in enumerate(failing, start=1):
            if fails is None:
                continue
            streak = streak + 1 if fails else 0
            if streak >= limit:
                return streak, passed
        return streak, None


async def read_brake(
    connection: AsyncConnection, tables: RuntimeTables, *, lock: bool = False
) -> Brake:
    """Read the brake; locked, the streak is counted by one transaction after the other."""
    brake = tables.brake
    query = select(brake.c.streak, brake.c.held_since, brake.c.detail)
    row = (await connection.execute(query.with_for_update() if lock else query)).one()
    return Brake(row.streak, row.held_since, row.detail)


async def released_brake(
    connection: AsyncConnection, tables: RuntimeTables, *, lock: bool = False
) -> Brake:
    """Read the brake; raises BrakeHolds where it holds."""
    brake = await read_brake(connection, tables, lock=lock)
    if brake.held_since is not None:
        raise BrakeHolds(brake)
    return brake


async def write_streak(connection: AsyncConnection, tables: RuntimeTables, streak: int) -> None:
    """Store how many failed in a row."""
    await connection.execute(update(tables.brake).values(streak=streak))


async def pull_brake(
    connection: AsyncConnection, tables: RuntimeTables, streak: int, why: str
) -> None:
    """Take hold: nothing more is applied until a command lets go."""
    detail = f"{streak} records in a row could not be applied, the last one {why}"
    await connection.execute(
        update(tables.brake).values(streak=streak, held_since=func.now(), detail=detail)
    )


async def clear_brake(connection: AsyncConnection, tables: RuntimeTables) -> Brake:
    """Let go, and return what it was."""
    was = await read_brake(connection, tables, lock=True)
    await connection.execute(update(tables.brake).values(streak=0, held_since=None, detail=None))
    return was
