"""Payments and payouts that are not booked because no event reported an amount."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import POSITION, UNBOOKED
from consumers.ledger.position import Rank


@dataclass(frozen=True)
class Unbooked:
    """A payment or payout that is not booked although its gateway reports that money moved."""

    account: str
    provider: str
    family: str
    reference: str | None
    provider_reference: str | None
    status: str | None
    changed_at: datetime
    why: str


async def read_unbooked(connection: AsyncConnection, limit: int) -> Sequence[Unbooked]:
    """Return the unbooked payments and payouts, most recently changed first."""
    columns = (
        POSITION.c.account,
        POSITION.c.provider,
        POSITION.c.family,
        POSITION.c.reference,
        POSITION.c.provider_reference,
        POSITION.c.status,
        POSITION.c.updated_at,
    )
    rows = await connection.execute(
        select(*columns, POSITION.c.rank)
        .where(text(UNBOOKED))
        .order_by(POSITION.c.updated_at.desc(), POSITION.c.id)
        .limit(limit)
    )
    return [Unbooked(*row[:-1], why=_why(row.rank)) for row in rows]


async def count_unbooked(connection: AsyncConnection) -> int:
    """Return the number of unbooked payments and payouts."""
    query = select(func.count()).select_from(POSITION).where(text(UNBOOKED))
    return await connection.scalar(query) or 0


def _why(rank: int) -> str:
    return "no amount was reported" if rank > Rank.NOTHING else "taken back, but never paid"
