"""Payments and payouts with a transfer whose amount no event reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import HAS_CASES, POSITION, UNBOOKED
from consumers.ledger.cases import AMOUNT_UNKNOWN

_CONDITION = f"{HAS_CASES} AND {UNBOOKED}"


@dataclass(frozen=True)
class Unbooked:
    """A payment or payout that is not booked in full although its gateway reports that money moved.

    `why` names the transfers without an amount.
    """

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
        select(*columns, POSITION.c.cases)
        .where(text(_CONDITION))
        .order_by(POSITION.c.updated_at.desc(), POSITION.c.id)
        .limit(limit)
    )
    return [Unbooked(*row[:-1], why=_why(row.cases)) for row in rows]


async def count_unbooked(connection: AsyncConnection) -> int:
    """Return the number of unbooked payments and payouts."""
    query = select(func.count()).select_from(POSITION).where(text(_CONDITION))
    return await connection.scalar(query) or 0


def _why(cases: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    facts = cases[AMOUNT_UNKNOWN.name]["facts"]
    return ", ".join(f"{name}: {text}" for name, text in sorted(facts.items()))
