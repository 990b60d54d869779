"""Statements on parked records that are due: find, lock, postpone and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.records import Partition
from consumers.runtime.store.tables import DONE, RuntimeTables

_LOG = ("cluster_id", "topic", "partition")


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
    """Match the first parked record of each lane if it is due and its topic's brake is off.

    Of a log, the lowest offset is first. A lane with records of several logs, because partitions
    were added or fences reset, begins with the log of the record that was held first. There is
    always exactly one first record, so that records never wait for each other without end.
    """
    held, brake = tables.held, tables.brake
    braked = (
        select(brake.c.topic)
        .where(brake.c.topic == held.c.topic, brake.c.held_since.is_not(None))
        .exists()
    )
    first, earlier = held.alias("first"), held.alias("earlier")
    first_log = (
        select(*(first.c[name] for name in _LOG))
        .where(first.c.state == Fate.PARKED, first.c.lane == held.c.lane)
        .order_by(first.c.id)
        .limit(1)
        .correlate(held)
        .subquery("first_log")
    )
    in_first_log = select(first_log).where(_same_log(first_log, held)).correlate(held).exists()
    blocked = (
        select(earlier.c.id)
        .where(
            *(earlier.c.state == Fate.PARKED, earlier.c.lane == held.c.lane),
            *(_same_log(earlier, held), earlier.c.offset < held.c.offset),
        )
        .exists()
    )
    is_due = and_(held.c.state == Fate.PARKED, held.c.due_at <= func.now())
    return and_(is_due, in_first_log, ~blocked, ~braked)


def _same_log(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    return and_(*(one.c[name] == other.c[name] for name in _LOG))


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
