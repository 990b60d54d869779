"""Prometheus metrics of the notifications: counts and an age, no recipients or contents."""

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
    """Return the age in seconds of the oldest message that does not wait for an address."""
    age = func.extract("epoch", func.now() - func.min(MESSAGE.c.created_at))
    query = select(cast(age, Integer)).where(and_(_open(), MESSAGE.c.wait_until.is_(None)))
    return await connection.scalar(query) or 0


async def _failed(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(MESSAGE).where(MESSAGE.c.state == FAILED)
    return await connection.scalar(query) or 0


MEASURES = (
    Measure(
        "payrouter_notifications_pending",
        "Messages not sent yet, including those that wait for a customer's address or a retry",
        _pending,
    ),
    Measure(
        "payrouter_notifications_oldest_pending_seconds",
        "Age of the oldest unsent message that waits only for its channel; 0 if there is none",
        _oldest,
    ),
    Measure(
        "payrouter_notifications_failed",
        "Messages that failed and are not retried until `payrouter notifications resend`",
        _failed,
    ),
)
"""Read from the database at intervals by the runtime."""
