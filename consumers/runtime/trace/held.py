"""What a consumer's runtime knows of events: where they were taken, and which are held back."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.held import DONE, headers_from
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables
from consumers.runtime.trace.mentions import Mentions
from consumers.runtime.trail import TrailQuery
from router.contract.event import Event
from router.contract.wire import UndecodableRecord, UnknownMajorVersion, decode_event

SCANNED = 10_000
"""So many held records, the newest, are looked into: a text in them has no index."""

LISTED = 100
"""So many found records are told of, the newest."""


@dataclass(frozen=True)
class Taken:
    """Where a consumer took an event, as far as that is known."""

    event_id: UUID
    at: datetime
    topic: str | None
    partition: int | None
    offset: int | None


@dataclass(frozen=True)
class HeldRecord:
    """A record that is or was held back, and the event in it where one could be read."""

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
        """Whether it still is held."""
        return self.state != DONE

    @property
    def order(self) -> tuple[str, str] | None:
        """Account and reference of its event."""
        if self.event is None or self.event.reference is None:
            return None
        return self.event.account, self.event.reference


def texts_of(sought: TrailQuery) -> frozenset[str]:
    """Return what a record would mention that belongs to it."""
    references = {reference for _, reference in sought.orders}
    return frozenset({sought.text, *references, *map(str, sought.event_ids)})


def belongs(event: Event, sought: TrailQuery) -> bool:
    """Tell whether an event is one of those sought."""
    if event.id in sought.event_ids:
        return True
    if event.reference is not None and (event.account, event.reference) in sought.orders:
        return True
    named = {str(event.id), event.reference, event.provider_reference, event.tx_hash}
    return sought.text in named


async def taken(
    connection: AsyncConnection, tables: RuntimeTables, event_ids: Collection[UUID]
) -> Sequence[Taken]:
    """Return where these events were taken."""
    seen = tables.seen_event
    columns = (seen.c.event_id, seen.c.seen_at, seen.c.topic, seen.c.partition, seen.c.offset)
    rows = await connection.execute(
        select(*columns).where(seen.c.event_id == func.any(sorted(event_ids)))
    )
    return [Taken(*row) for row in rows]


async def held_records(
    connection: AsyncConnection, tables: RuntimeTables, sought: TrailQuery
) -> Sequence[HeldRecord]:
    """Return the held records of what is sought, the newest last.

    By event id where that is known, and by what the newest of them say: the
    event of a record that never was applied is known to nobody else.
    """
    held = tables.held
    texts = texts_of(sought)
    newest = (
        select(held.c.id)
        .where(held.c.state.in_([Fate.PARKED, Fate.DEAD]))
        .order_by(held.c.id.desc())
        .limit(SCANNED)
    )
    spoken = [func.pg_catalog.position(held.c.value, literal(each)) > 0 for each in _bytes(texts)]
    said = select(held.c.id).where(held.c.id.in_(newest), or_(*spoken))
    known = held.c.event_id == func.any(sorted(sought.event_ids))
    rows = await connection.execute(
        select(held).where(or_(known, held.c.id.in_(said))).order_by(held.c.id.desc()).limit(LISTED)
    )
    found = [(row, _record(row)) for row in rows]
    mentions = Mentions(texts)
    return [record for row, record in reversed(found) if _is_meant(row, record, sought, mentions)]


def _is_meant(row: Row[Any], record: HeldRecord, sought: TrailQuery, mentions: Mentions) -> bool:
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
    except (UndecodableRecord, UnknownMajorVersion):
        return None


def _bytes(texts: Collection[str]) -> Sequence[bytes]:
    """Write texts as JSON holds them."""
    ways = {json.dumps(text, ensure_ascii=False)[1:-1] for text in texts} | set(texts)
    return [way.encode() for way in sorted(ways)]
