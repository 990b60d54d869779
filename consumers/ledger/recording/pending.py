"""Statements that were recorded and are not applied yet, and the record of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import EVENT, SCHEMA
from consumers.ledger.recording.statement import Statement
from consumers.runtime.store.tables import RuntimeTables
from router.contract.amounts import value_text
from router.contract.event import Event

OPERATION = "ledger record"
"""Name of the operation in the records that `payrouter dlq history ledger` lists."""


@dataclass(frozen=True)
class PendingStatement:
    """A statement that waits for the running consumer."""

    event_id: UUID
    who: str
    at: datetime


def detail_of(event: Event, statement: Statement, position_id: UUID) -> str:
    """Return the detail of the operation's record: event, position, statement and reason."""
    payment = f"{event.provider_reference or event.reference} of {event.account} at {event.gateway}"
    transfer = "" if statement.movement is None else f" of {statement.movement}"
    what = f"{statement.type.value} {value_text(statement.amount)} {statement.currency}{transfer}"
    return f"{_beginning(position_id)}event {event.id}: {what} for {payment}: {statement.reason}"


async def pending_statements(
    connection: AsyncConnection, position_id: UUID
) -> Sequence[PendingStatement]:
    """Return the statements about a position that are not in the journal, oldest first."""
    done = RuntimeTables.of(SCHEMA).operation
    beginning = _beginning(position_id)
    rows = await connection.execute(
        select(done.c.detail, done.c.who, done.c.at)
        .where(done.c.what == OPERATION, done.c.detail.startswith(beginning))
        .order_by(done.c.id)
    )
    recorded = [PendingStatement(_event_id(row.detail), row.who, row.at) for row in rows]
    if not recorded:
        return []
    ids = [each.event_id for each in recorded]
    applied = await connection.scalars(select(EVENT.c.event_id).where(EVENT.c.event_id.in_(ids)))
    known = set(applied)
    return [each for each in recorded if each.event_id not in known]


def _beginning(position_id: UUID) -> str:
    return f"position {position_id}, "


def _event_id(detail: str) -> UUID:
    return UUID(detail.split(", event ", 1)[1].partition(":")[0])
