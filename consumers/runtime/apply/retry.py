"""Tries parked records again, in the order of their lane, when they are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.dead_letters import dead_letter
from consumers.runtime.apply.failures import describe, park_pause
from consumers.runtime.apply.held import (
    DONE,
    HeldReason,
    Hold,
    error_text,
    headers_from,
)
from consumers.runtime.apply.outbox import put
from consumers.runtime.apply.plan import conflict_text
from consumers.runtime.apply.process import Applier, received_at
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition, Record, TooNew, Unreadable
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.settings import Tuning
from consumers.runtime.store.database import StoreAway, transaction_of
from consumers.runtime.store.tables import RuntimeTables

HEADS = 50
"""How many lanes are looked at in one round."""


class Refused(Exception):  # noqa: N818 - reads as what happened
    """The record must not be applied, for a reason the runtime knows."""

    def __init__(self, reason: HeldReason, error: str) -> None:
        """Say why."""
        super().__init__(error)
        self.reason = reason


@dataclass(frozen=True)
class Retry:
    """What one try came to: one of `fate.TRIED`."""

    partition: Partition
    offset: int
    fate: Fate
    error: str | None = None
    reason: HeldReason | None = None
    received: datetime | None = None
    """When the edge took the event, where it was applied."""


@dataclass(frozen=True)
class Round:
    """What the tries of a round came to, and the first failure of the store, if there was one."""

    tries: Sequence[Retry]
    failure: Exception | None = None


async def retry_due(applier: Applier, stored: StoredBooks, tuning: Tuning) -> Round:
    """Try the head of each lane that is due, each in a transaction of its own.

    Records of a topic whose brake holds are left. What the store fails with is no
    try: the record keeps its attempts, and is tried again after a pause, so that
    the others have their turn. Nor is a record that only a later version can read.
    What takes the server too long counts as a try. Raises StoreAway where there is
    no database.
    """
    async with transaction_of(stored.engine) as connection:
        held = stored.tables.held
        numbers = await connection.scalars(
            select(held.c.id)
            .where(_is_due(stored.tables))
            .order_by(held.c.due_at, held.c.id)
            .limit(HEADS)
        )
        due = list(numbers)
    tries: list[Retry] = []
    failure: Exception | None = None
    for number in due:
        try:
            tried = await _retry(applier, stored, number, tuning)
        except StoreAway as away:
            return Round(tries, failure or away)
        except Exception as error:  # noqa: BLE001 - the round reports it; the others are tried
            failure = failure or error
            if not await _postponed(stored, number, error, tuning):
                return Round(tries, failure)
        else:
            tries += [tried] if tried is not None else []
    return Round(tries, failure)


async def _retry(
    applier: Applier, stored: StoredBooks, number: int, tuning: Tuning
) -> Retry | None:
    try:
        return await _try(applier, stored, number, tuning)
    except HandlerSlow as slow:
        # The server may have cut the connection too, and the row's lock with it.
        return await _try(applier, stored, number, tuning, failed=slow)


async def _postponed(stored: StoredBooks, number: int, error: Exception, tuning: Tuning) -> bool:
    """Let a record wait that the store failed for, its attempts as they are; False if it cannot."""
    held = stored.tables.held
    values = {"due_at": _due_after(1, tuning), "error": error_text(describe(error))}
    try:
        async with transaction_of(stored.engine) as transaction:
            is_still_parked = and_(held.c.id == number, held.c.state == Fate.PARKED)
            await transaction.execute(update(held).where(is_still_parked).values(**values))
    except (StoreAway, SQLAlchemyError, OSError):
        # The failure that is reported is the first one, whose consequence this is.
        return False
    return True


def _is_due(tables: RuntimeTables) -> ColumnElement[bool]:
    """Tell the oldest parked record of each lane that is due, its topic's brake being off."""
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
        # A key's records in another partition, or of another cluster: as they were held.
        and_(~same_log, earlier.c.id < held.c.id),
    )
    blocked = (
        select(earlier.c.id)
        .where(earlier.c.state == Fate.PARKED, earlier.c.lane == held.c.lane, comes_first)
        .exists()
    )
    return and_(held.c.state == Fate.PARKED, held.c.due_at <= func.now(), ~blocked, ~braked)


async def _try(
    applier: Applier,
    stored: StoredBooks,
    number: int,
    tuning: Tuning,
    failed: Exception | None = None,
) -> Retry | None:
    """Try one record, its row locked from before the try until what it came to is written.

    None where another process has it, or had it meanwhile; `failed` says what
    the try has come to already.
    """
    held = stored.tables.held
    async with transaction_of(stored.engine) as transaction:
        found = await transaction.execute(
            select(held)
            .where(held.c.id == number, _is_due(stored.tables))
            .with_for_update(of=held, skip_locked=True)
        )
        row = found.one_or_none()
        if row is None:
            return None
        arrived = _arrived(applier, row)
        if isinstance(arrived, TooNew):
            return await _left(transaction, stored, row, arrived, tuning)
        if failed is None:
            try:
                async with transaction.begin_nested():
                    fate, received = await _apply(transaction, applier, stored, arrived)
            except (HandlerFailed, Poison, Refused) as error:
                failed = error
        if failed is not None:
            tried = _Failure(failed, arrived, row.attempts + 1)
            return await _failed(transaction, applier, stored, row, tried, tuning)
        await _write(transaction, stored, row, state=DONE, outcome=fate.value, ended_at=func.now())
        return Retry(_where(row), row.offset, fate, received=received)


async def _apply(
    transaction: AsyncConnection,
    applier: Applier,
    stored: StoredBooks,
    arrived: Decoded | Unreadable,
) -> tuple[Fate, datetime | None]:
    if isinstance(arrived, Unreadable):
        raise Refused(HeldReason.UNREADABLE, arrived.problem)
    books = stored.within(transaction)
    claims = await books.claim([arrived])
    if claims.conflicts:
        raise Refused(HeldReason.CONFLICT, conflict_text(arrived, claims.conflicts[0]))
    if not claims.new:
        return Fate.DUPLICATE, None
    (fate,) = await applier.handle(books, [arrived])
    return fate, received_at(arrived) if fate is Fate.APPLIED else None


async def _left(
    transaction: AsyncConnection,
    stored: StoredBooks,
    row: Any,  # noqa: ANN401 - a row of `held`
    arrived: TooNew,
    tuning: Tuning,
) -> Retry:
    """Leave what only a later version can read, its attempts as they are.

    A later version parked it, and was rolled back: the upgrade applies it.
    """
    said, reason = error_text(f"{arrived.problem}: upgrade payrouter"), HeldReason.FAILED.value
    due = _due_after(1, tuning)
    await _write(transaction, stored, row, reason=reason, due_at=due, error=said)
    return Retry(_where(row), row.offset, Fate.PARKED, said)


@dataclass(frozen=True)
class _Failure:
    """A try that failed: with what, of which record, and how many there were by now."""

    error: Exception
    arrived: Decoded | Unreadable
    attempts: int

    @property
    def text(self) -> str:
        """What is kept of the error."""
        error = self.error
        return error_text(str(error) if isinstance(error, Refused) else describe(error))


async def _failed(
    transaction: AsyncConnection,
    applier: Applier,
    stored: StoredBooks,
    row: Any,  # noqa: ANN401 - a row of `held`
    tried: _Failure,
    tuning: Tuning,
) -> Retry:
    """Count the try; the record dies where it was the last one, or cannot help."""
    attempts, said = tried.attempts, tried.text
    reason = _reason_to_die(tried.error, attempts, tuning)
    values = {"attempts": attempts, "error": said, "last_failed_at": func.now()}
    if reason is None:
        due = _due_after(attempts, tuning)
        await _write(transaction, stored, row, reason=HeldReason.FAILED.value, due_at=due, **values)
        return Retry(_where(row), row.offset, Fate.PARKED, said)
    died = {"state": Fate.DEAD.value, "reason": reason.value, "ended_at": func.now()}
    await _write(transaction, stored, row, **died, **values)
    dead = Hold(tried.arrived, Fate.DEAD, reason, said, attempts)
    letter = dead_letter(applier.service.name, dead, row.first_failed_at)
    await put(transaction, stored.tables, [letter])
    return Retry(_where(row), row.offset, Fate.DEAD, said, reason)


def _due_after(attempts: int, tuning: Tuning) -> ColumnElement[datetime]:
    """Say when a record is tried again after so many tries."""
    pause = park_pause(attempts, tuning.park_seconds, tuning.park_longest_seconds)
    return func.now() + timedelta(seconds=pause)


def _where(row: Any) -> Partition:  # noqa: ANN401 - a row of `held`
    return Partition(row.topic, row.partition)


def _reason_to_die(error: Exception, attempts: int, tuning: Tuning) -> HeldReason | None:
    """Say why it dies now, None where it is tried again."""
    if isinstance(error, Refused):
        return error.reason
    if isinstance(error, Poison):
        return HeldReason.POISON
    return HeldReason.EXHAUSTED if attempts >= tuning.attempts else None


async def _write(
    transaction: AsyncConnection,
    stored: StoredBooks,
    row: Any,  # noqa: ANN401 - a row of `held`
    **values: Any,  # noqa: ANN401 - its columns
) -> None:
    held = stored.tables.held
    await transaction.execute(update(held).where(held.c.id == row.id).values(**values))


def _arrived(applier: Applier, row: Any) -> Decoded | Unreadable | TooNew:  # noqa: ANN401 - a row of `held`
    record = Record(
        Partition(row.topic, row.partition),
        row.offset,
        row.timestamp,
        row.key,
        row.value,
        headers_from(row.headers),
    )
    return applier.decode(record)
