"""Count each payment once."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from payrouter_tally.tables import COUNTED
from router.contract.event import Event, EventType


async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
    """Count what is confirmed; everything else is stale to us."""
    rows = [
        {
            "event_id": event.id,
            "account": event.account,
            "currency": event.currency,
            "amount": event.amount,
        }
        for event in events
        if event.type is EventType.PAYMENT_CONFIRMED and event.amount is not None
    ]
    if not rows:
        return [Fate.STALE] * len(events)
    # The row is never deleted, so its key detects an event whose id the runtime has deleted.
    statement = insert(COUNTED).on_conflict_do_nothing().returning(COUNTED.c.event_id)
    counted = set(await transaction.scalars(statement, rows))
    return [Fate.APPLIED if event.id in counted else Fate.STALE for event in events]
