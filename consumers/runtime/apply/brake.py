"""The brake of a topic: many failures in a row are not the records' fault but ours.

It is a row, so that a restart does not release it; only a command does. While
it is held, nothing of its topic is applied; the consumer's other topics go on.
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
    """How many records of a topic failed in a row, since when it holds, and why."""

    topic: str
    streak: int = 0
    held_since: datetime | None = None
    detail: str | None = None

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.held_since is None:
            failed = f"{self.streak} records in a row could not be applied"
            return f"the brake of {self.topic} is off, {failed}"
        since = f"{self.held_since:%Y-%m-%d %H:%M:%S %Z}"
        return f"the brake of {self.topic} holds since {since}: {self.detail}"

    def after(self, failing: Sequence[bool | None], limit: int) -> tuple[int, int | None]:
        """Walk over records, failing, good, or neither; return the streak, and how many are passed.

        The second is None where the streak stays below the limit: all are.
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
    """Name the command that releases the brake of one topic, or of several at once."""
    command = f"payrouter brake clear {consumer}"
    return f"{command} --topic {next(iter(topics))}" if len(topics) == 1 else command


async def read_brakes(
    connection: AsyncConnection, tables: RuntimeTables, topics: Collection[str] | None = None
) -> Mapping[str, Brake]:
    """Read the brakes of these topics, or of all that have one."""
    brake = tables.brake
    query = select(brake).order_by(brake.c.topic)
    if topics is not None:
        query = query.where(brake.c.topic == func.any(list(topics)))
    return await _found(connection, query)


async def lock_brakes(
    connection: AsyncConnection, tables: RuntimeTables, topics: Collection[str]
) -> Mapping[str, Brake]:
    """Read the brakes of these topics, locked: one transaction after the other counts a streak."""
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
    """Store how many failed in a row."""
    brake = tables.brake
    await connection.execute(update(brake).where(brake.c.topic == topic).values(streak=streak))


async def pull_brake(
    connection: AsyncConnection, tables: RuntimeTables, topic: str, streak: int, why: str
) -> Brake:
    """Hold a topic: nothing of it is applied until a command releases it."""
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
    """Release the brakes of these topics, or all; return those that were held."""
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
    """Return those that hold."""
    return {topic: each for topic, each in brakes.items() if each.held_since is not None}


def _detail(streak: int, why: str) -> str:
    return f"{streak} records in a row could not be applied, the last one {why}"


async def _found(connection: AsyncConnection, query: Any) -> Mapping[str, Brake]:  # noqa: ANN401
    return {row.topic: _brake(row) for row in await connection.execute(query)}


def _brake(row: Any) -> Brake:  # noqa: ANN401 - a row of `brake`
    return Brake(row.topic, row.streak, row.held_since, row.detail)
