"""The brake of a topic: stops it after too many failures in a row.

Many failures in a row point to a fault of the consumer, not of the records. The brake
is a database row, so a restart does not release it; only a command does. While
it holds, no record of the topic is applied; the consumer's other topics continue.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.store.tables import RuntimeTables


@dataclass(frozen=True)
class Brake:
    """Failures in a row of a topic; `held_since` and `detail` are set while the brake holds."""

    topic: str
    streak: int = 0
    held_since: datetime | None = None
    detail: str | None = None

    def __str__(self) -> str:
        """Describe it in a sentence."""
        if self.held_since is None:
            failed = f"{self.streak} records in a row could not be applied"
            return f"the brake of {self.topic} is off, {failed}"
        since = f"{self.held_since:%Y-%m-%d %H:%M:%S %Z}"
        return f"the brake of {self.topic} has been on since {since}: {self.detail}"

    def after(self, failing: Sequence[bool | None], limit: int) -> tuple[int, int | None]:
        """Count a sequence of records: failing (True), good (False), or not counted (None).

        Return the new streak, and how many of the records may be processed: None
        (all of them) if the streak stays below the limit.
        """
        if self.held_since is not None:
            return self.streak, 0
        streak = self.streak
        for passed, fails in enumerate(failing, start=1):
            if fails is None:
                continue
            streak = streak + 1 if fails else 0
            if streak >= limit:
                return streak, passed
        return streak, None


def release_command(consumer: str, topics: Collection[str]) -> str:
    """Return the command that releases the brake of one topic, or all brakes of a consumer."""
    command = f"payrouter brake clear {consumer}"
    return f"{command} --topic {next(iter(topics))}" if len(topics) == 1 else command


async def read_brakes(
    connection: AsyncConnection, tables: RuntimeTables, topics: Collection[str] | None = None
) -> Mapping[str, Brake]:
    """Read the brakes of `topics`, or all brakes."""
    brake = tables.brake
    query = select(brake).order_by(brake.c.topic)
    if topics is not None:
        query = query.where(brake.c.topic == func.any(list(topics)))
    return await _found(connection, query)


async def lock_brakes(
    connection: AsyncConnection, tables: RuntimeTables, topics: Collection[str]
) -> Mapping[str, Brake]:
    """Read and lock the brakes of `topics`, so that transactions count a streak in turn."""
    brake = tables.brake
    if not topics:
        return {}
    rows = [{"topic": topic} for topic in sorted(topics)]
    await connection.execute(insert(brake).on_conflict_do_nothing(), rows)
    query = select(brake).where(brake.c.topic == func.any(list(topics))).order_by(brake.c.topic)
    return await _found(connection, query.with_for_update())


async def write_streak(
    connection: AsyncConnection, tables: RuntimeTables, topic: str, streak: int
) -> None:
    """Store the number of failures in a row."""
    brake = tables.brake
    await connection.execute(update(brake).where(brake.c.topic == topic).values(streak=streak))


async def pull_brake(
    connection: AsyncConnection, tables: RuntimeTables, topic: str, streak: int, why: str
) -> Brake:
    """Set the brake: no record of the topic is applied until a command releases it."""
    brake = tables.brake
    row = await connection.execute(
        update(brake)
        .where(brake.c.topic == topic)
        .values(streak=streak, held_since=func.now(), detail=_detail(streak, why))
        .returning(brake)
    )
    return _brake(row.one())


async def clear_brakes(
    connection: AsyncConnection, tables: RuntimeTables, topics: Collection[str] | None = None
) -> Mapping[str, Brake]:
    """Release the brakes of `topics`, or all; return those that were holding."""
    brake = tables.brake
    known = await read_brakes(connection, tables, topics)
    locked = await lock_brakes(connection, tables, known.keys())
    await connection.execute(
        update(brake)
        .where(brake.c.topic == func.any(list(known)))
        .values(streak=0, held_since=None, detail=None)
    )
    return holding(locked)


def holding(brakes: Mapping[str, Brake]) -> Mapping[str, Brake]:
    """Return the brakes that hold."""
    return {topic: each for topic, each in brakes.items() if each.held_since is not None}


def _detail(streak: int, why: str) -> str:
    return f"{streak} records in a row could not be applied, the last one {why}"


async def _found(connection: AsyncConnection, query: Any) -> Mapping[str, Brake]:  # noqa: ANN401
    return {row.topic: _brake(row) for row in await connection.execute(query)}


def _brake(row: Any) -> Brake:  # noqa: ANN401 - a row of `brake`
    return Brake(row.topic, row.streak, row.held_since, row.detail)
