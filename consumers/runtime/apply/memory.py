"""Deletes expired event ids and finished records, in chunks.

Event ids and finished records (once parked, now done) are stored for
`remember_days`, longer than any gateway resends. Dead records stay until an
operator acts.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.tables import DONE, RuntimeTables

CHUNK = 1000
"""Rows per transaction, so that few are locked, and only briefly."""


async def delete_expired(
    engine: AsyncEngine, tables: RuntimeTables, days: float, chunk: int = CHUNK
) -> int:
    """Delete one chunk of rows older than `days`; return the number of rows."""
    seen, held = tables.seen_event, tables.held
    async with transaction_of(engine) as transaction:
        before = await transaction.scalar(select(func.now() - timedelta(days=days)))
        oldest = (
            select(seen.c.event_id)
            .where(seen.c.seen_at < before)
            .order_by(seen.c.seen_at)
            .limit(chunk)
            .with_for_update(skip_locked=True)
        )
        events = await transaction.execute(delete(seen).where(seen.c.event_id.in_(oldest)))
        if events.rowcount:
            memory = tables.memory
            pruned = func.greatest(memory.c.pruned_before, before)
            await transaction.execute(update(memory).values(pruned_before=pruned))
        done = (
            select(held.c.id)
            .where(held.c.state == DONE, held.c.ended_at < before)
            .limit(chunk)
            .with_for_update(skip_locked=True)
        )
        records = await transaction.execute(delete(held).where(held.c.id.in_(done)))
        return int(events.rowcount + records.rowcount)


async def remembered_since(
    connection: AsyncConnection, tables: RuntimeTables, days: float
) -> datetime:
    """Return the time since which all event ids are stored; older ones may be deleted."""
    soon = func.now() - timedelta(days=days)
    since = func.greatest(tables.memory.c.pruned_before, soon)
    found: datetime = (await connection.execute(select(since))).scalar_one()
    return found
