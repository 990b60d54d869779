"""Held records of the model, with the conditions and locks of the statements on PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from consumers.runtime.apply.held import HeldReason, Hold, error_text, headers_text, lane
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Unfetchable
from consumers.runtime.store.due_records import DueRecord, FailedAttempt
from consumers.runtime.store.tables import DONE
from tests.simulation.store.database import Session
from tests.simulation.store.rows import BRAKES, HELD, HeldEntry

_UNKNOWN_CRC = -1


async def hold(session: Session, holds: Sequence[Hold]) -> Sequence[Hold]:
    """Write the rows; return the holds that were not already held."""
    written = []
    if holds:
        await session.begin_statement()
    for each in holds:
        number = session.database.committed.next_number(HELD)
        entry = _entry(session, number, each)
        await session.lock(("held record", entry.identity))
        known = next((row for _, row in session.view.rows(HELD) if _is_same(row, entry)), None)
        if known is not None:
            await session.lock(("held", known.number))
            known = session.view.get(HELD, known.number)
            if known is None or known.state != DONE:
                continue
            entry = replace(entry, number=known.number)
        session.view.put(HELD, entry.number, entry)
        written.append(each)
    return written


def _is_same(row: HeldEntry, entry: HeldEntry) -> bool:
    return row.identity == entry.identity


def _entry(session: Session, number: int, each: Hold) -> HeldEntry:
    now = session.began
    return HeldEntry(
        number=number,
        record=each.record,
        crc=_UNKNOWN_CRC if isinstance(each.arrived, Unfetchable) else each.record.crc,
        lane=each.behind or lane(each.record),
        event_id=each.arrived.event.id if isinstance(each.arrived, Decoded) else None,
        state=each.fate.value,
        reason=each.reason.value,
        error=error_text(each.error),
        attempts=each.attempts,
        first_failed_at=now,
        due=now + timedelta(seconds=each.pause),
    )


async def due(session: Session, limit: int) -> Sequence[int]:
    """Return the numbers of the records that are due, the longest overdue first."""
    await session.begin_statement(writes=False)
    parked = [row for _, row in session.view.rows(HELD) if row.state == Fate.PARKED]
    found = sorted((row.due, row.number) for row in parked if is_due(session, row, parked))
    return [number for _, number in found[:limit]]


def is_due(session: Session, row: HeldEntry, parked: Sequence[HeldEntry]) -> bool:
    """Return whether a record is due, the first one parked in its lane, and no brake holds."""
    if row.state != Fate.PARKED or row.due > session.began:
        return False
    brake = session.view.get(BRAKES, row.record.partition.topic)
    if brake is not None and brake.held_since is not None:
        return False
    return row == _first_of([each for each in parked if each.lane == row.lane])


def _first_of(lane: Sequence[HeldEntry]) -> HeldEntry:
    """Return the lowest offset in the log of the entry that was held first."""
    log = min(lane, key=lambda each: each.number).record.partition
    own = [each for each in lane if each.record.partition == log]
    return min(own, key=lambda each: each.record.offset)


async def lock_due(session: Session, number: int) -> DueRecord | None:
    """Lock a record; None if it is no longer due, or another transaction has locked it."""
    await session.begin_statement()
    row = session.view.get(HELD, number)
    parked = [each for _, each in session.view.rows(HELD) if each.state == Fate.PARKED]
    if row is None or not is_due(session, row, parked) or not session.try_lock(("held", number)):
        return None
    record = row.record
    return DueRecord(
        number,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        headers_text(record.headers),
        row.attempts,
        row.first_failed_at,
    )


async def end_retry(session: Session, number: int, fate: Fate) -> None:
    """End a locked record."""
    await session.begin_statement()
    row = session.view.get(HELD, number)
    if row is not None:
        session.view.put(HELD, number, replace(row, state=DONE, outcome=fate.value))


async def postpone(
    session: Session, number: int, pause: float, error: str, reason: HeldReason | None
) -> None:
    """Postpone a record, if it is still parked."""
    await session.begin_statement()
    row = session.view.get(HELD, number)
    if row is not None and row.state == Fate.PARKED:
        await session.lock(("held", number))
        row = session.view.get(HELD, number)
    if row is None or row.state != Fate.PARKED:
        return
    kept = row.reason if reason is None else reason.value
    due_at = session.began + timedelta(seconds=pause)
    session.view.put(HELD, number, replace(row, due=due_at, error=error, reason=kept))


async def count_attempt(session: Session, number: int, tried: FailedAttempt) -> None:
    """Store a failed attempt of a locked record, which stays parked or dies."""
    await session.begin_statement()
    row = session.view.get(HELD, number)
    if row is None:
        return
    row = replace(row, attempts=tried.attempts, error=tried.error, reason=tried.reason)
    if tried.pause is None:
        row = replace(row, state=Fate.DEAD.value)
    else:
        row = replace(row, due=session.began + timedelta(seconds=tried.pause))
    session.view.put(HELD, number, row)
