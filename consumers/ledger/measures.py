"""What the ledger tells Prometheus of its books: counts, never amounts.

Each reads a table or an index that stays small however long the journal grows.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy import case, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import (
    BALANCE,
    EVENT,
    JOURNAL_TOTAL,
    PENDING,
    POSITION,
    UNBOOKED,
    UNRECONCILED,
)
from consumers.ledger.concerns import CALLED_OFF_AFTER_PAID, OTHER_CURRENCY
from consumers.runtime.service import Measure


async def _unbalanced(connection: AsyncConnection) -> int:
    sums = (
        select(BALANCE.c.currency)
        .group_by(BALANCE.c.currency)
        .having(func.sum(BALANCE.c.amount) != 0)
        .subquery()
    )
    return await connection.scalar(select(func.count()).select_from(sums)) or 0


async def _transactions(connection: AsyncConnection) -> int:
    return await connection.scalar(select(JOURNAL_TOTAL.c.transactions)) or 0


def _positions(condition: str) -> Callable[[AsyncConnection], Awaitable[int]]:
    async def read(connection: AsyncConnection) -> int:
        query = select(func.count()).select_from(POSITION).where(text(condition))
        return await connection.scalar(query) or 0

    return read


def _concerns(word: str) -> Callable[[AsyncConnection], Awaitable[int]]:
    # Written out, so that the planner sees that the partial index holds them all.
    condition = EVENT.c.concern == literal_column(f"'{word}'")

    async def read(connection: AsyncConnection) -> int:
        query = select(func.count()).select_from(EVENT).where(condition)
        return await connection.scalar(query) or 0

    return read


_AGES = {
    "0-15m": timedelta(minutes=15),
    "15m-1h": timedelta(hours=1),
    "1h-6h": timedelta(hours=6),
    "6h-1d": timedelta(days=1),
    "1d+": None,
}
"""The ages of pending payments, each with its end."""


async def _pending(connection: AsyncConnection) -> Mapping[str, int]:
    age = func.now() - POSITION.c.updated_at
    ended = [(age < end, value) for value, end in _AGES.items() if end is not None]
    value = case(*ended, else_="1d+")
    query = select(value, func.count()).select_from(POSITION).where(text(PENDING)).group_by(value)
    return {str(value): number for value, number in await connection.execute(query)}


MEASURES = (
    Measure(
        "payrouter_ledger_imbalance",
        "Currencies whose balances do not sum to zero. Anything but 0: the books are wrong",
        _unbalanced,
    ),
    Measure(
        "payrouter_ledger_transactions",
        "Transactions in the journal; entries are never deleted, so it only rises",
        _transactions,
    ),
    Measure(
        "payrouter_ledger_unbooked",
        "Payments and payouts that moved money of which no amount is known, so that nothing is"
        " booked: `payrouter ledger statement --unbooked`",
        _positions(UNBOOKED),
    ),
    Measure(
        "payrouter_ledger_unreconciled",
        "Payments booked as claimed: the gateway told a price, and nothing was seen on chain",
        _positions(UNRECONCILED),
    ),
    Measure(
        "payrouter_ledger_pending_payments",
        "Payments whose last word is pending, by how long ago the ledger learned anything of them",
        _pending,
        label="age",
        values=tuple(_AGES),
    ),
    Measure(
        "payrouter_ledger_called_off_after_paid",
        "Events that called off what was paid. Nothing is posted, a person looks; it only rises",
        _concerns(CALLED_OFF_AFTER_PAID),
    ),
    Measure(
        "payrouter_ledger_other_currency",
        "Events that told known money in another currency. Not booked, a person looks; it only"
        " rises",
        _concerns(OTHER_CURRENCY),
    ),
)
"""Read from the store from time to time by the runtime."""
