"""What the notifications tell Prometheus: counts and an age, never whom or what."""

from sqlalchemy import ColumnElement, Integer, and_, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.tables import FAILED, LEASED, MESSAGE, PENDING
from consumers.runtime.service import Measure


def _open() -> ColumnElement[bool]:
    return MESSAGE.c.state.in_((PENDING, LEASED))


async def _pending(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(MESSAGE).where(_open())
    return await connection.scalar(query) or 0


async def _oldest(connection: AsyncConnection) -> int:
    """Seconds since the oldest was written, those left out that wait for an address."""
    age = func.extract("epoch", func.now() - func.min(MESSAGE.c.created_at))
    query = select(cast(age, Integer)).where(and_(_open(), MESSAGE.c.wait_until.is_(None)))
    return await connection.scalar(query) or 0


async def _failed(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(MESSAGE).where(MESSAGE.c.state == FAILED)
    return await connection.scalar(query) or 0


MEASURES = (
    Measure(
        "payrouter_notifications_pending",
        "Messages to be sent, those included that wait for a customer's address or the next try",
        _pending,
    ),
    Measure(
        "payrouter_notifications_oldest_pending_seconds",
        "Age of the oldest message to be sent that waits for nothing but its channel; 0 where none",
        _oldest,
    ),
    Measure(
        "payrouter_notifications_failed",
        "Messages that are not tried again until `payrouter notifications resend`",
        _failed,
    ),
)
"""Read from the store from time to time by the runtime."""
