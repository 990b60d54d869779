"""Tries parked records again, in the order of their lane, when they are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.brake import released_brake
from consumers.runtime.dead_letters import dead_letter
from consumers.runtime.failures import (
    Action,
    Phase,
    decide,
    describe,
    is_too_slow,
    park_pause,
)
from consumers.runtime.held import (
    DEAD,
    DONE,
    PARKED,
    HeldReason,
    Hold,
    error_text,
    headers_from,
)
from consumers.runtime.offsets import claim_events
from consumers.runtime.outbox import put
from consumers.runtime.process import APPLIED, DUPLICATE, Applier, conflict_text, received_at
from consumers.runtime.records import Decoded, Partition, Record, TooNew, Unreadable
from consumers.runtime.service import Poison
from consumers.runtime.settings import Tuning
from consumers.runtime.store import transaction_of

HEADS = 50
"""How many lanes are looked at in one round."""

FAILED = "failed"
RETRIED = ("applied", "stale", DUPLICATE, FAILED, DEAD)
"""What a try may come to; the label of a metric."""


class Refused(Exception):  # noqa: N818 - reads as what happened
    """The record must not be applied, for a reason the runtime knows."""

    def __init__(self, reason: HeldReason, error: str) -> None:
        """Say why."""
        super().__init__(error)
        self.reason = reason


@dataclass(frozen=True)
class Retry:
    """What one try came to: a word of RETRIED."""

    partition: Partition
    offset: int
    word: str
    error: str | None = None
    reason: HeldReason | None = None
    received: datetime | None = None
    """When the edge took the event, where it was applied."""


async def retry_due(applier: Applier, tuning: Tuning) -> Sequence[Retry]:
    """Try the head of each lane that is due, each in a transaction of its own.

    Raises BrakeHolds, and what is transient: the record keeps its place and
    its attempts. What takes the server too long counts as a try.
    """
    async with transaction_of(applier.engine) as connection:
        await released_brake(connection, applier.tables)
        held = applier.tables.held
        numbers = await connection.scalars(
            select(held.c.id).where(_is_due(held)).order_by(held.c.due_at, held.c.id).limit(HEADS)
        )
        due = list(numbers)
    tries = [await _retry(applier, number, tuning) for number in due]
    return [each for each in tries if each is not None]


async def _retry(applier: Applier, number: int, tuning: Tuning) -> Retry | None:
    try:
        return await _try(applier, number, tuning)
    except Exception as error:
        if not is_too_slow(error):
            raise
        # The server may have cut the connection too, and the row's lock with it.
        return await _try(applier, number, tuning, failed=error)


def _is_due(held: Table) -> ColumnElement[bool]:
    """Tell the oldest parked record of each lane that is due."""
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
        .where(earlier.c.state == PARKED, earlier.c.lane == held.c.lane, comes_first)
        .exists()
    )
    return and_(held.c.state == PARKED, held.c.due_at <= func.now(), ~blocked)


async def _try(
    applier: Applier, number: int, tuning: Tuning, failed: Exception | None = None
) -> Retry | None:
    """Try one record, its row locked from before the try until what it came to is written.

    None where another process has it, or had it meanwhile; `failed` says what
    the try has come to already.
    """
    held = applier.tables.held
    async with transaction_of(applier.engine) as transaction:
        await released_brake(transaction, applier.tables)
        found = await transaction.execute(
            select(held)
            .where(held.c.id == number, _is_due(held))
            .with_for_update(of=held, skip_locked=True)
        )
        row = found.one_or_none()
        if row is None:
            return None
        if failed is not None:
            return await _failed(transaction, applier, row, failed, tuning)
        where = Partition(row.topic, row.partition)
        try:
            async with transaction.begin_nested():
                word, received = await _apply(transaction, applier, row)
        except Exception as error:
            if decide(error, Phase.PARKED) not in {Action.PARK, Action.DEAD}:
                raise
            return await _failed(transaction, applier, row, error, tuning)
        await _write(transaction, applier, row, state=DONE, outcome=word, ended_at=func.now())
        return Retry(where, row.offset, word, received=received)


async def _apply(
    transaction: AsyncConnection,
    applier: Applier,
    row: Any,  # noqa: ANN401 - a row of `held`
) -> tuple[str, datetime | None]:
    arrived = _arrived(applier, row)
    if isinstance(arrived, Unreadable):
        raise Refused(HeldReason.UNREADABLE, arrived.problem)
    if isinstance(arrived, TooNew):
        raise TypeError(arrived.problem)
    claims = await claim_events(transaction, applier.tables, [arrived])
    if claims.conflicts:
        raise Refused(HeldReason.CONFLICT, conflict_text(arrived, claims.conflicts[0]))
    if not claims.new:
        return DUPLICATE, None
    (word,) = await applier.handle(transaction, [arrived])
    return word, received_at(arrived) if word == APPLIED else None


async def _failed(
    transaction: AsyncConnection,
    applier: Applier,
    row: Any,  # noqa: ANN401 - a row of `held`
    error: Exception,
    tuning: Tuning,
) -> Retry:
    """Count the try; the record dies where it was the last one, or cannot help."""
    attempts = row.attempts + 1
    where = Partition(row.topic, row.partition)
    reason = _reason_to_die(error, attempts, tuning)
    said = error_text(str(error) if isinstance(error, Refused) else describe(error))
    tried = {"attempts": attempts, "error": said, "last_failed_at": func.now()}
    if reason is None:
        pause = park_pause(attempts, tuning.park_seconds, tuning.park_longest_seconds)
        due = func.now() + timedelta(seconds=pause)
        await _write(transaction, applier, row, reason=HeldReason.FAILED.value, due_at=due, **tried)
        return Retry(where, row.offset, FAILED, said)
    await _write(
        transaction, applier, row, state=DEAD, reason=reason.value, ended_at=func.now(), **tried
    )
    arrived = _arrived(applier, row)
    if not isinstance(arrived, TooNew):
        dead = Hold(arrived, DEAD, reason, said, attempts)
        letter = dead_letter(applier.service.name, dead, row.first_failed_at)
        await put(transaction, applier.tables, [letter])
    return Retry(where, row.offset, DEAD, said, reason)


def _reason_to_die(error: Exception, attempts: int, tuning: Tuning) -> HeldReason | None:
    """Say why it dies now, None where it is tried again."""
    if isinstance(error, Refused):
        return error.reason
    if isinstance(error, Poison):
        return HeldReason.POISON
    return HeldReason.EXHAUSTED if attempts >= tuning.attempts else None


async def _write(
    transaction: AsyncConnection,
    applier: Applier,
    row: Any,  # noqa: ANN401 - a row of `held`
    **values: Any,  # noqa: ANN401 - its columns
) -> None:
    held = applier.tables.held
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
