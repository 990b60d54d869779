"""Reads a consumer's applied event ids and held records from its store."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.held import headers_from
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import DONE, RuntimeTables
from consumers.runtime.trace.mentions import Mentions
from consumers.runtime.trail import TrailQuery
from router.contract.event import Event
from router.contract.wire import ReaderOutdated, UndecodableRecord, decode_event

SCANNED = 10_000
"""Number of newest held records to search: their content has no index."""

LISTED = 100
"""Number of newest findings to return."""


@dataclass(frozen=True)
class ReceivedEvent:
    """An event that a consumer applied or held, with the record's offset if it is known."""

    event_id: UUID
    at: datetime
    topic: str | None
    partition: int | None
    offset: int | None


@dataclass(frozen=True)
class HeldRecord:
    """A record that is or was held back, and its event if it could be decoded."""

    id: int
    state: str
    topic: str
    partition: int
    offset: int
    reason: str
    error: str
    attempts: int
    first_failed_at: datetime
    due_at: datetime
    ended_at: datetime | None
    outcome: str | None
    event_id: UUID | None
    event: Event | None

    @property
    def waits(self) -> bool:
        """Whether it is still held."""
        return self.state != DONE

    @property
    def order(self) -> tuple[str, str] | None:
        """Account and reference of its event, if it has both."""
        if self.event is None or self.event.reference is None:
            return None
        return self.event.account, self.event.reference


def texts_of(sought: TrailQuery) -> frozenset[str]:
    """Return the texts that a matching record mentions."""
    references = {reference for _, reference in sought.orders}
    return frozenset({sought.text, *references, *map(str, sought.event_ids)})


def belongs(event: Event, sought: TrailQuery) -> bool:
    """Return whether an event matches the search."""
    if event.id in sought.event_ids:
        return True
    if event.reference is not None and (event.account, event.reference) in sought.orders:
        return True
    named = {str(event.id), event.reference, event.provider_reference, event.tx_hash}
    return sought.text in named


async def received_events(
    connection: AsyncConnection, tables: RuntimeTables, event_ids: Collection[UUID]
) -> Sequence[ReceivedEvent]:
    """Return those of these events that were received."""
    seen = tables.seen_event
    columns = (seen.c.event_id, seen.c.seen_at, seen.c.topic, seen.c.partition, seen.c.offset)
    rows = await connection.execute(
        select(*columns).where(seen.c.event_id == func.any(sorted(event_ids)))
    )
    return [ReceivedEvent(*row) for row in rows]


async def held_records(
    connection: AsyncConnection, tables: RuntimeTables, sought: TrailQuery
) -> Sequence[HeldRecord]:
    """Return the held records that match the search, newest last.

    Matches by event id if it is known, and by the content of the newest records, because
    the event of a record that was never applied is not stored anywhere else.
    """
    held = tables.held
    texts = texts_of(sought)
    newest = (
        select(held.c.id)
        .where(held.c.state.in_([Fate.PARKED, Fate.DEAD]))
        .order_by(held.c.id.desc())
        .limit(SCANNED)
    )
    mentions_one = [
        func.pg_catalog.position(held.c.value, literal(each)) > 0 for each in _bytes(texts)
    ]
    by_content = select(held.c.id).where(held.c.id.in_(newest), or_(*mentions_one))
    by_id = held.c.event_id == func.any(sorted(sought.event_ids))
    rows = await connection.execute(
        select(held)
        .where(or_(by_id, held.c.id.in_(by_content)))
        .order_by(held.c.id.desc())
        .limit(LISTED)
    )
    found = [(row, _record(row)) for row in rows]
    mentions = Mentions(texts)
    return [record for row, record in reversed(found) if _matches(row, record, sought, mentions)]


def _matches(row: Row[Any], record: HeldRecord, sought: TrailQuery, mentions: Mentions) -> bool:
    if record.event is not None:
        return belongs(record.event, sought)
    return record.event_id in sought.event_ids or mentions.within(row.value or b"")


def _record(row: Row[Any]) -> HeldRecord:
    return HeldRecord(
        id=row.id,
        state=row.state,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        reason=row.reason,
        error=row.error,
        attempts=row.attempts,
        first_failed_at=row.first_failed_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        event_id=row.event_id,
        event=_event(row),
    )


def _event(row: Row[Any]) -> Event | None:
    try:
        return decode_event(row.value, headers_from(row.headers))
    except (UndecodableRecord, ReaderOutdated):
        return None


def _bytes(texts: Collection[str]) -> Sequence[bytes]:
    """Encode texts as they appear in JSON."""
    ways = {json.dumps(text, ensure_ascii=False)[1:-1] for text in texts} | set(texts)
    return [way.encode() for way in sorted(ways)]
