"""Retries parked records that are due, in the order of their lanes."""

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
from consumers.runtime.records import Decoded, Partition, Record, TooNew, Undecodable
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.settings import Tuning
from consumers.runtime.store.database import StoreAway, transaction_of
from consumers.runtime.store.tables import RuntimeTables

HEADS = 50
"""Maximum number of lanes per round."""


class RetryRefused(Exception):  # noqa: N818 - reads as what happened
    """The runtime refuses to apply the record, for the given reason."""

    def __init__(self, reason: HeldReason, error: str) -> None:
        """Store the reason, and the error text."""
        super().__init__(error)
        self.reason = reason


@dataclass(frozen=True)
class RetryResult:
    """Result of one retry; `fate` is one of `RETRY_FATES`."""

    partition: Partition
    offset: int
    fate: Fate
    error: str | None = None
    reason: HeldReason | None = None
    received: datetime | None = None
    """When the edge received the event, if it was applied."""


@dataclass(frozen=True)
class RetryRound:
    """Results of a round of retries, and the first failure of the store, if any."""

    tries: Sequence[RetryResult]
    failure: Exception | None = None


async def retry_due(applier: Applier, stored: StoredBooks, tuning: Tuning) -> RetryRound:
    """Retry the first record of each lane that is due, each in its own transaction.

    Records of a topic whose brake holds are skipped. Neither a failure of the
    store nor a record of a later version counts as an attempt: the record
    is retried after a pause, so that the others get their turn. A handler that
    takes too long counts as an attempt. Raises StoreAway if the database is
    unreachable.
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
    tries: list[RetryResult] = []
    failure: Exception | None = None
    for number in due:
        try:
            tried = await _retry(applier, stored, number, tuning)
        except StoreAway as away:
            return RetryRound(tries, failure or away)
        except Exception as error:  # noqa: BLE001 - the round reports it and goes through the others
            failure = failure or error
            if not await _postpone_after_store_failure(stored, number, error, tuning):
                return RetryRound(tries, failure)
        else:
            tries += [tried] if tried is not None else []
    return RetryRound(tries, failure)


async def _retry(
    applier: Applier, stored: StoredBooks, number: int, tuning: Tuning
) -> RetryResult | None:
    try:
        return await _try(applier, stored, number, tuning)
    except HandlerSlow as slow:
        # The server may also have closed the connection, which released the row's lock.
        return await _try(applier, stored, number, tuning, failed=slow)


async def _postpone_after_store_failure(
    stored: StoredBooks, number: int, error: Exception, tuning: Tuning
) -> bool:
    """Postpone a record without counting an attempt; return False if the store fails again."""
    held = stored.tables.held
    values = {"due_at": _due_after(1, tuning), "error": error_text(describe(error))}
    try:
        async with transaction_of(stored.engine) as transaction:
            is_still_parked = and_(held.c.id == number, held.c.state == Fate.PARKED)
            await transaction.execute(update(held).where(is_still_parked).values(**values))
    except (StoreAway, SQLAlchemyError, OSError):
        # The caller reports the first failure, which caused this one.
        return False
    return True


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


async def _try(
    applier: Applier,
    stored: StoredBooks,
    number: int,
    tuning: Tuning,
    failed: Exception | None = None,
) -> RetryResult | None:
    """Retry one record; its row stays locked until the result is written.

    Return None if another process is retrying it, or already has. `failed` is the
    error of this attempt, if it is already known.
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
        arrived = _decode_row(applier, row)
        if isinstance(arrived, TooNew):
            return await _postpone_too_new(transaction, stored, row, arrived, tuning)
        if failed is None:
            try:
                async with transaction.begin_nested():
                    fate, received = await _apply(transaction, applier, stored, arrived)
            except (HandlerFailed, Poison, RetryRefused) as error:
                failed = error
        if failed is not None:
            tried = _FailedTry(failed, arrived, row.attempts + 1)
            return await _count_failure(transaction, applier, stored, row, tried, tuning)
        await _write(transaction, stored, row, state=DONE, outcome=fate.value, ended_at=func.now())
        return RetryResult(_partition_of(row), row.offset, fate, received=received)


async def _apply(
    transaction: AsyncConnection,
    applier: Applier,
    stored: StoredBooks,
    arrived: Decoded | Undecodable,
) -> tuple[Fate, datetime | None]:
    if isinstance(arrived, Undecodable):
        raise RetryRefused(HeldReason.UNREADABLE, arrived.problem)
    books = stored.within(transaction)
    claims = await books.claim([arrived])
    if claims.conflicts:
        raise RetryRefused(HeldReason.CONFLICT, conflict_text(arrived, claims.conflicts[0]))
    if not claims.new:
        return Fate.DUPLICATE, None
    (fate,) = await applier.handle(books, [arrived])
    return fate, received_at(arrived) if fate is Fate.APPLIED else None


async def _postpone_too_new(
    transaction: AsyncConnection,
    stored: StoredBooks,
    row: Any,  # noqa: ANN401 - a row of `held`
    arrived: TooNew,
    tuning: Tuning,
) -> RetryResult:
    """Postpone a record that only a later version can read, without counting an attempt.

    A later version parked it and was rolled back; the next upgrade applies it.
    """
    problem, reason = error_text(f"{arrived.problem}: upgrade payrouter"), HeldReason.FAILED.value
    due = _due_after(1, tuning)
    await _write(transaction, stored, row, reason=reason, due_at=due, error=problem)
    return RetryResult(_partition_of(row), row.offset, Fate.PARKED, problem)


@dataclass(frozen=True)
class _FailedTry:
    """A failed attempt: the error, the record, and the number of attempts so far."""

    error: Exception
    arrived: Decoded | Undecodable
    attempts: int

    @property
    def text(self) -> str:
        """Text of the error, as stored."""
        error = self.error
        return error_text(str(error) if isinstance(error, RetryRefused) else describe(error))


async def _count_failure(
    transaction: AsyncConnection,
    applier: Applier,
    stored: StoredBooks,
    row: Any,  # noqa: ANN401 - a row of `held`
    tried: _FailedTry,
    tuning: Tuning,
) -> RetryResult:
    """Count the attempt; the record dies if it was the last one or if retrying cannot help."""
    attempts, problem = tried.attempts, tried.text
    reason = _death_reason(tried.error, attempts, tuning)
    values = {"attempts": attempts, "error": problem, "last_failed_at": func.now()}
    if reason is None:
        due = _due_after(attempts, tuning)
        await _write(transaction, stored, row, reason=HeldReason.FAILED.value, due_at=due, **values)
        return RetryResult(_partition_of(row), row.offset, Fate.PARKED, problem)
    died = {"state": Fate.DEAD.value, "reason": reason.value, "ended_at": func.now()}
    await _write(transaction, stored, row, **died, **values)
    dead = Hold(tried.arrived, Fate.DEAD, reason, problem, attempts)
    letter = dead_letter(applier.service.name, dead, row.first_failed_at)
    await put(transaction, stored.tables, [letter])
    return RetryResult(_partition_of(row), row.offset, Fate.DEAD, problem, reason)


def _due_after(attempts: int, tuning: Tuning) -> ColumnElement[datetime]:
    """Return when a record is due after so many attempts."""
    pause = park_pause(attempts, tuning.park_seconds, tuning.park_longest_seconds)
    return func.now() + timedelta(seconds=pause)


def _partition_of(row: Any) -> Partition:  # noqa: ANN401 - a row of `held`
    return Partition(row.topic, row.partition)


def _death_reason(error: Exception, attempts: int, tuning: Tuning) -> HeldReason | None:
    """Return why the record dies now; None if it is retried."""
    if isinstance(error, RetryRefused):
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


def _decode_row(applier: Applier, row: Any) -> Decoded | Undecodable | TooNew:  # noqa: ANN401 - a row of `held`
    record = Record(
        Partition(row.topic, row.partition),
        row.offset,
        row.timestamp,
        row.key,
        row.value,
        headers_from(row.headers),
    )
    return applier.decode(record)
