"""Statements on parked records that are due: find, lock, postpone and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.records import Partition
from consumers.runtime.store.tables import DONE, RuntimeTables


@dataclass(frozen=True)
class DueRecord:
    """A parked record that is due and locked; `headers` are as stored."""

    number: int
    partition: Partition
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: str
    attempts: int
    first_failed_at: datetime


@dataclass(frozen=True)
class FailedAttempt:
    """A failed attempt to store: its number, why, and the pause in seconds; None if it dies."""

    attempts: int
    reason: str
    error: str
    pause: float | None


async def read_due(connection: AsyncConnection, tables: RuntimeTables, limit: int) -> Sequence[int]:
    """Return the numbers of the records that are due, the longest overdue first."""
    held = tables.held
    due = select(held.c.id).where(_is_due(tables)).order_by(held.c.due_at, held.c.id)
    return list(await connection.scalars(due.limit(limit)))


async def lock_due(
    connection: AsyncConnection, tables: RuntimeTables, number: int
) -> DueRecord | None:
    """Lock a record; None if it is no longer due, or another transaction has locked it."""
    held = tables.held
    found = await connection.execute(
        select(held)
        .where(held.c.id == number, _is_due(tables))
        .with_for_update(of=held, skip_locked=True)
    )
    row = found.one_or_none()
    if row is None:
        return None
    partition = Partition(row.topic, row.partition)
    return DueRecord(
        number,
        partition,
        row.offset,
        row.timestamp,
        row.key,
        row.value,
        row.headers,
        row.attempts,
        row.first_failed_at,
    )


async def end_due(
    connection: AsyncConnection, tables: RuntimeTables, number: int, outcome: str
) -> None:
    """End a locked record that was applied, or found stale or duplicate."""
    values = {"state": DONE, "outcome": outcome, "ended_at": func.now()}
    await _write(connection, tables, number, **values)


async def postpone_due(
    connection: AsyncConnection,
    tables: RuntimeTables,
    number: int,
    pause: float,
    error: str,
    reason: str | None = None,
) -> None:
    """Postpone a record, if it is still parked, by `pause` seconds without counting an attempt."""
    values: dict[str, Any] = {"due_at": _after(pause), "error": error}
    if reason is not None:
        values["reason"] = reason
    held = tables.held
    is_still_parked = and_(held.c.id == number, held.c.state == Fate.PARKED)
    await connection.execute(update(held).where(is_still_parked).values(**values))


async def count_attempt(
    connection: AsyncConnection, tables: RuntimeTables, number: int, tried: FailedAttempt
) -> None:
    """Store a failed attempt of a locked record, which stays parked or dies."""
    values: dict[str, Any] = {
        "attempts": tried.attempts,
        "error": tried.error,
        "reason": tried.reason,
        "last_failed_at": func.now(),
    }
    if tried.pause is None:
        values |= {"state": Fate.DEAD.value, "ended_at": func.now()}
    else:
        values["due_at"] = _after(tried.pause)
    await _write(connection, tables, number, **values)


def _is_due(tables: RuntimeTables) -> ColumnElement[bool]:
    """Match the oldest parked record of each lane if it is due and its topic's brake is off."""
    held, brake = tables.held, tables.brake
    braked = (
        select(brake.c.topic)
        .where(brake.c.topic == held.c.topic, brake.c.held_since.is_not(None))
        .exists()
    )
    earlier = held.alias("earlier")
    same_log = and_(
        earlier.c.cluster_id == held.c.cluster_id,
        earlier.c.topic == held.c.topic,
        earlier.c.partition == held.c.partition,
    )
    comes_first = or_(
        and_(same_log, earlier.c.offset < held.c.offset),
        # Records of a key in another partition or cluster: in the order in which they were held.
        and_(~same_log, earlier.c.id < held.c.id),
    )
    blocked = (
        select(earlier.c.id)
        .where(earlier.c.state == Fate.PARKED, earlier.c.lane == held.c.lane, comes_first)
        .exists()
    )
    return and_(held.c.state == Fate.PARKED, held.c.due_at <= func.now(), ~blocked, ~braked)


def _after(pause: float) -> ColumnElement[datetime]:
    return func.now() + timedelta(seconds=pause)


async def _write(
    connection: AsyncConnection,
    tables: RuntimeTables,
    number: int,
    **values: Any,  # noqa: ANN401 - its columns
) -> None:
    held = tables.held
    await connection.execute(update(held).where(held.c.id == number).values(**values))
