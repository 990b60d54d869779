"""The notifications' part of `payrouter trace`: messages of an order, event or transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.reading import uuid_of
from consumers.notifications.tables import CHANGE, FAILED, LEASED, MESSAGE, PENDING, SENT, SKIPPED
from consumers.runtime.store.arrays import any_of
from consumers.runtime.trail import TrailQuery, TrailStep

MAX_MESSAGES = 1000
"""Maximum number of messages returned."""

_WHAT: Mapping[str, str] = {
    PENDING: "message pending",
    LEASED: "message being sent",
    SENT: "message sent",
    FAILED: "message failed",
    SKIPPED: "message skipped",
}


async def trail(connection: AsyncConnection, sought: TrailQuery) -> Sequence[TrailStep]:
    """Return the messages of an event, an order, a payment or a transaction, oldest first."""
    rows = await connection.execute(
        select(MESSAGE, CHANGE.c.account, CHANGE.c.reference)
        .join_from(MESSAGE, CHANGE)
        .where(_matches(sought))
        .order_by(MESSAGE.c.created_at, MESSAGE.c.id)
        .limit(MAX_MESSAGES)
    )
    return [_step(row) for row in rows]


def _matches(sought: TrailQuery) -> ColumnElement[bool]:
    typed = uuid_of(sought.text)
    ids = [*sought.event_ids, *([typed] if typed else [])]
    names = (CHANGE.c.reference, CHANGE.c.provider_reference, CHANGE.c.tx_hash)
    conditions = [name == sought.text for name in names]
    conditions.append(any_of(CHANGE.c.event_id, ids))
    if sought.orders:
        wanted = [(reference, account) for account, reference in sorted(sought.orders)]
        conditions.append(tuple_(CHANGE.c.reference, CHANGE.c.account).in_(wanted))
    if sought.accounts is None:
        return or_(*conditions)
    return and_(or_(*conditions), CHANGE.c.account == func.any(sorted(sought.accounts)))


def _step(row: Row[Any]) -> TrailStep:
    facts = {
        "message": str(row.id),
        "kind": row.kind,
        "to": row.recipient,
        "channel": row.channel,
        "attempts": str(row.attempts),
        "error": row.last_error,
    }
    return TrailStep(
        at=row.sent_at or row.failed_at or row.created_at,
        what=_WHAT[row.state],
        event_id=row.event_id,
        order=None if row.reference is None else (row.account, row.reference),
        facts={name: text for name, text in facts.items() if text},
        trouble=row.state == FAILED,
        account=row.account,
    )
