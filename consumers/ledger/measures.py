"""Prometheus metrics of the ledger: counts, never amounts.

Each query reads a table or an index that stays small as the journal grows.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy import case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import (
    BALANCE,
    HAS_CASES,
    JOURNAL_TOTAL,
    PENDING,
    POSITION,
    UNBOOKED,
    UNRECONCILED,
)
from consumers.ledger.cases import CALLED_OFF_AFTER_PAID, OTHER_CURRENCY
from consumers.runtime.cases.kind import CaseKind
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
    return int(await connection.scalar(select(func.sum(JOURNAL_TOTAL.c.transactions))) or 0)


def _positions(condition: str) -> Callable[[AsyncConnection], Awaitable[int]]:
    async def read(connection: AsyncConnection) -> int:
        query = select(func.count()).select_from(POSITION).where(text(condition))
        return await connection.scalar(query) or 0

    return read


def _with_case(kind: CaseKind) -> Callable[[AsyncConnection], Awaitable[int]]:
    return _positions(f"{HAS_CASES} AND cases ? '{kind.name}'")


_AGES = {
    "0-15m": timedelta(minutes=15),
    "15m-1h": timedelta(hours=1),
    "1h-6h": timedelta(hours=6),
    "6h-1d": timedelta(days=1),
    "1d+": None,
}
"""Age ranges of pending payments, each with its upper bound."""


async def _pending(connection: AsyncConnection) -> Mapping[str, int]:
    age = func.now() - POSITION.c.updated_at
    ended = [(age < end, value) for value, end in _AGES.items() if end is not None]
    value = case(*ended, else_="1d+")
    query = select(value, func.count()).select_from(POSITION).where(text(PENDING)).group_by(value)
    return {str(value): number for value, number in await connection.execute(query)}


MEASURES = (
    Measure(
        "payrouter_ledger_imbalance",
        "Currencies whose balances do not sum to zero. The books are wrong unless this is 0",
        _unbalanced,
    ),
    Measure(
        "payrouter_ledger_transactions",
        "Transactions in the journal; entries are never deleted, so it only rises",
        _transactions,
    ),
    Measure(
        "payrouter_ledger_unbooked",
        "Payments and payouts with a transfer whose amount is unknown; list them with"
        " `payrouter ledger statement --unbooked`",
        _positions(f"{HAS_CASES} AND {UNBOOKED}"),
    ),
    Measure(
        "payrouter_ledger_unreconciled",
        "Payments booked as claimed: the gateway reported a price, but nothing was seen on chain",
        _positions(UNRECONCILED),
    ),
    Measure(
        "payrouter_ledger_pending_payments",
        "Payments whose status is pending, by the time since their last event",
        _pending,
        label="age",
        values=tuple(_AGES),
    ),
    Measure(
        "payrouter_ledger_called_off_after_paid",
        "Paid payments and payouts that were later reported as not paid. Nothing is posted and an"
        " operator should look",
        _with_case(CALLED_OFF_AFTER_PAID),
    ),
    Measure(
        "payrouter_ledger_other_currency",
        "Payments and payouts whose money was reported again in another currency. It is not booked"
        " and an operator should look",
        _with_case(OTHER_CURRENCY),
    ),
)
"""Read from the database at intervals by the runtime."""
