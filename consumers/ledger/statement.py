"""Read the books: balances, and the transactions that led to them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, BALANCE, EVENT, JOURNAL_TOTAL, POSTING, TRANSACTION
from consumers.ledger.postings import exact

# An event as it is stored has these members without blanks, and within a text (its raw) the
# quotation marks have a backslash: a pattern finds the members and nothing that looks like them.
_UNREAD = r'"unread":(\[(?:,?"(?:[^"\\]|\\.)*")*\])'
_TEST = r'"test":(true)'


@dataclass(frozen=True)
class Balance:
    """The sum of all postings of one account in one currency."""

    account: str
    network: str | None
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Named:
    """What the accounts of one name hold in one currency, together and on each network."""

    account: str
    currency: str
    amount: Decimal
    parts: Sequence[Balance]


@dataclass(frozen=True)
class Books:
    """All balances by name, currency and network, and how many transactions they are made of."""

    transactions: int
    balances: Sequence[Balance]

    @property
    def named(self) -> Sequence[Named]:
        """The balances by name and currency, each pair once."""
        pairs = groupby(self.balances, key=lambda each: (each.account, each.currency))
        found = [(account, currency, list(parts)) for (account, currency), parts in pairs]
        with exact():
            return [
                Named(account, currency, sum((each.amount for each in parts), Decimal(0)), parts)
                for account, currency, parts in found
            ]

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
    network: str | None
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
    test: bool = False
    unread: Sequence[str] = ()


@dataclass(frozen=True)
class Period:
    """When transactions were posted; None leaves a side open.

    From `since` on, before `before`, and up to and including `at`.
    """

    since: datetime | None = None
    before: datetime | None = None
    at: datetime | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """What it asks of a row of `transaction`."""
        posted = TRANSACTION.c.posted_at
        condition: ColumnElement[bool] = true()
        if self.since is not None:
            condition &= posted >= self.since
        if self.before is not None:
            condition &= posted < self.before
        if self.at is not None:
            condition &= posted <= self.at
        return condition


@dataclass(frozen=True)
class Selection:
    """Which transactions are asked for.

    `account` is a ledger account or the beginning of some (`shop-eu`,
    `shop-eu:blockatm`): only their lines are returned. `order` is the
    merchant's reference or the gateway's.
    """

    account: str | None = None
    order: str | None = None
    period: Period = Period()
    limit: int = 50


async def read_books(connection: AsyncConnection, at: datetime | None = None) -> Books:
    """Read the running balances, or sum up what was posted up to a moment.

    `connection` sees one moment of the books.
    """
    if at is None:
        count = select(JOURNAL_TOTAL.c.transactions)
        sums: FromClause = BALANCE
    else:
        until = Period(at=at).condition
        count = select(func.count()).select_from(TRANSACTION).where(until)
        sums = (
            select(
                POSTING.c.account_id,
                POSTING.c.currency,
                func.sum(POSTING.c.amount).label("amount"),
            )
            .join_from(POSTING, TRANSACTION)
            .where(until)
            .group_by(POSTING.c.account_id, POSTING.c.currency)
            .subquery()
        )
    rows = await connection.execute(
        select(ACCOUNT.c.name, ACCOUNT.c.network, sums.c.currency, sums.c.amount)
        .join_from(sums, ACCOUNT, ACCOUNT.c.id == sums.c.account_id)
        .order_by(ACCOUNT.c.name, sums.c.currency, ACCOUNT.c.network)
    )
    return Books(await connection.scalar(count) or 0, [Balance(*row) for row in rows])


async def read_statement(
    connection: AsyncConnection, wanted: Selection | None = None
) -> Sequence[Transaction]:
    """Return the newest transactions of a selection, oldest first."""
    wanted = wanted or Selection()
    chosen = (
        select(TRANSACTION.c.id)
        .join(EVENT)
        .where(_of_order(wanted.order), _touches(wanted.account), wanted.period.condition)
        .order_by(TRANSACTION.c.id.desc())
        .limit(wanted.limit)
    )
    rows = await connection.execute(_lines(chosen, wanted.account))
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
            func.substring(EVENT.c.body, _UNREAD).label("unread"),
            func.substring(EVENT.c.body, _TEST).label("test"),
            ACCOUNT.c.name,
            ACCOUNT.c.network,
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
            lines=[
                Line(row.name, row.network, row.currency, row.amount) for row in (first, *others)
            ],
            test=first.test is not None,
            unread=json.loads(first.unread or "[]"),
        )
