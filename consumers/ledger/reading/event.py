"""Reads the event behind a transaction, as the journal keeps it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import EVENT, EVIDENCE

_COLUMNS = (
    *("event_id", "type", "account", "provider", "endpoint", "scheme"),
    *("reference", "provider_reference", "amount", "currency", "movement", "movement_amount"),
    *("network", "tx_hash", "test", "received_at", "applied_at", "outcome", "opened"),
)


@dataclass(frozen=True)
class JournalEvent:
    """An event of the journal; `scheme` is how its signature was verified.

    `opened` has the kinds of the cases that it opened, with blanks between.
    """

    event_id: UUID
    type: str
    account: str
    provider: str
    endpoint: str
    scheme: str
    reference: str | None
    provider_reference: str | None
    amount: Decimal | None
    currency: str | None
    movement: str | None
    movement_amount: Decimal | None
    network: str | None
    tx_hash: str | None
    test: bool
    received_at: datetime
    applied_at: datetime
    outcome: str
    opened: str | None


async def read_event(connection: AsyncConnection, event_id: UUID) -> JournalEvent | None:
    """Return an event, or None if the journal has none with this id."""
    columns = [EVENT.c[name] for name in _COLUMNS]
    rows = await connection.execute(select(*columns).where(EVENT.c.event_id == event_id))
    row = rows.one_or_none()
    return None if row is None else JournalEvent(*row)


async def read_evidence(connection: AsyncConnection, event_id: UUID) -> str | None:
    """Return an event in full, as JSON, with customer data; None if it was erased."""
    body = select(EVIDENCE.c.body).where(EVIDENCE.c.event_id == event_id)
    return await connection.scalar(body)
