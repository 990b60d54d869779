"""Read the books: balances, and the transactions that led to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, POSTING, TRANSACTION
from consumers.ledger.postings import exact


@dataclass(frozen=True)
class Balance:
    """The sum of all postings of one account in one currency."""

    account: str
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Books:
    """All balances, and how many transactions they are made of."""

    transactions: int
    balances: Sequence[Balance]

    @property
    def balanced(self) -> bool:
        """Whether the balances sum to zero in every currency."""
        sums: dict[str, Decimal] = {}
        with exact():
            for balance in self.balances:
                sums[balance.currency] = sums.get(balance.currency, Decimal(0)) + balance.amount
        return not any(sums.values())


@dataclass(frozen=True)
class Line:
    """One posting of a transaction."""

    account: str
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Transaction:
    """What one event changed in the books, or the lines of it that were asked for."""

    id: int
    posted_at: datetime
    event_id: UUID
    type: str
    reference: str | None
    provider_reference: str | None
    lines: Sequence[Line]


async def read_books(connection: AsyncConnection) -> Books:
    """Sum up the books; `connection` sees one moment of them."""
    count = await connection.scalar(select(func.count()).select_from(TRANSACTION))
    sums = (
        select(POSTING.c.account_id, POSTING.c.currency, func.sum(POSTING.c.amount).label("amount"))
        .group_by(POSTING.c.account_id, POSTING.c.currency)
        .subquery()
    )
    rows = await connection.execute(
        select(ACCOUNT.c.name, sums.c.currency, sums.c.amount)
        .join_from(sums, ACCOUNT, ACCOUNT.c.id == sums.c.account_id)
        .order_by(ACCOUNT.c.name, sums.c.currency)
    )
    return Books(count or 0, [Balance(*row) for row in rows])


async def read_statement(
    connection: AsyncConnection,
    account: str | None = None,
    order: str | None = None,
    limit: int = 50,
) -> Sequence[Transaction]:
    """Return the newest transactions, oldest first.

    `account` is a ledger account or the beginning of some (`shop-eu`,
    `shop-eu:blockatm`): only their lines are returned. `order` is the
    merchant's reference or the gateway's.
    """
    chosen = (
        select(TRANSACTION.c.id)
        .join(EVENT)
        .where(_of_order(order), _touches(account))
        .order_by(TRANSACTION.c.id.desc())
        .limit(limit)
    )
    rows = await connection.execute(_lines(chosen, account))
    return list(_transactions(rows))


def _lines(chosen: Select[int], account: str | None) -> Select[Any]:
    return (
        select(
            TRANSACTION.c.id,
            TRANSACTION.c.posted_at,
            TRANSACTION.c.event_id,
            EVENT.c.type,
            EVENT.c.reference,
            EVENT.c.provider_reference,
            ACCOUNT.c.name,
            POSTING.c.currency,
            POSTING.c.amount,
        )
        .join_from(TRANSACTION, EVENT)
        .join(POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .join(ACCOUNT)
        .where(TRANSACTION.c.id.in_(chosen), _of_account(account))
        .order_by(TRANSACTION.c.id, POSTING.c.line)
    )


def _of_order(order: str | None) -> ColumnElement[bool]:
    if order is None:
        return true()
    return or_(EVENT.c.reference == order, EVENT.c.provider_reference == order)


def _of_account(account: str | None) -> ColumnElement[bool]:
    if account is None:
        return true()
    return or_(ACCOUNT.c.name == account, func.starts_with(ACCOUNT.c.name, f"{account}:"))


def _touches(account: str | None) -> ColumnElement[bool]:
    if account is None:
        return true()
    return (
        select(POSTING.c.line)
        .join(ACCOUNT)
        .where(POSTING.c.transaction_id == TRANSACTION.c.id, _of_account(account))
        .exists()
    )


def _transactions(rows: Iterable[Row[Any]]) -> Iterable[Transaction]:
    for _, group in groupby(rows, key=attrgetter("id")):
        first, *others = group
        yield Transaction(
            id=first.id,
            posted_at=first.posted_at,
            event_id=first.event_id,
            type=first.type,
            reference=first.reference,
            provider_reference=first.provider_reference,
            lines=[Line(row.name, row.currency, row.amount) for row in (first, *others)],
        )
