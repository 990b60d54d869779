"""What the ledger tells Prometheus of its books: counts, never amounts."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import POSTING, TRANSACTION
from consumers.runtime.service import Measure


async def _unbalanced(connection: AsyncConnection) -> int:
    sums = (
        select(POSTING.c.currency)
        .group_by(POSTING.c.currency)
        .having(func.sum(POSTING.c.amount) != 0)
        .subquery()
    )
    return await connection.scalar(select(func.count()).select_from(sums)) or 0


async def _transactions(connection: AsyncConnection) -> int:
    return await connection.scalar(select(func.count()).select_from(TRANSACTION)) or 0


MEASURES = (
    Measure(
        "payrouter_ledger_imbalance",
        "Currencies whose postings do not sum to zero. Anything but 0: the books are wrong",
        _unbalanced,
    ),
    Measure(
        "payrouter_ledger_transactions",
        "Transactions in the journal; entries are never deleted, so it only rises",
        _transactions,
    ),
)
"""Read from the store from time to time by the runtime."""
