"""Reads the balances and the transactions behind them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import (
    ACCOUNT,
    BALANCE,
    EVENT,
    JOURNAL_TOTAL,
    POSTING,
    TRANSACTION,
    TRANSFER,
)
from consumers.ledger.facts.exact import exact
from consumers.ledger.reading.recorded import Authorship, authorship_of, recorded_body
from consumers.ledger.reading.selection import LineFilter, Period, Selection, chosen


@dataclass(frozen=True)
class Balance:
    """The sum of all postings of one account in one currency."""

    account: str
    network: str | None
    currency: str
    amount: Decimal
    merchant: str


@dataclass(frozen=True)
class NamedBalance:
    """The balance of the accounts with one name in one currency: the sum and each network."""

    account: str
    currency: str
    amount: Decimal
    parts: Sequence[Balance]


@dataclass(frozen=True)
class TrialBalance:
    """All balances by name, currency and network, and the number of transactions."""

    transactions: int
    balances: Sequence[Balance]

    @property
    def named(self) -> Sequence[NamedBalance]:
        """The balances summed by name and currency."""
        return named_balances(self.balances)

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


TRANSFERRED = "transfer"
"""Type of a transaction that no event caused."""


@dataclass(frozen=True)
class TransferCause:
    """The transfer that caused a transaction: who posted it, and why."""

    id: UUID
    who: str
    reason: str
    undoes: UUID | None


@dataclass(frozen=True)
class Transaction:
    """The change one event or transfer made to the books, reduced to the selected lines.

    Either `event_id` or `transfer` is None; of a transfer, `type` is `TRANSFERRED`. `recorded` is
    who recorded the event and why, if no gateway reported it.
    """

    id: int
    posted_at: datetime
    day: date
    event_id: UUID | None
    type: str
    reference: str | None
    provider_reference: str | None
    lines: Sequence[Line]
    test: bool | None = False
    """Whether the money is not real; None if unknown, as of a transfer."""
    unread: Sequence[str] = ()
    recorded: Authorship | None = None
    transfer: TransferCause | None = None


def named_balances(balances: Iterable[Balance]) -> Sequence[NamedBalance]:
    """Return sorted balances summed by name and currency."""
    pairs = groupby(balances, key=lambda each: (each.account, each.currency))
    groups = [(account, currency, list(parts)) for (account, currency), parts in pairs]
    with exact():
        return [
            NamedBalance(account, currency, sum((each.amount for each in parts), Decimal(0)), parts)
            for account, currency, parts in groups
        ]


async def read_books(
    connection: AsyncConnection, at: datetime | None = None, through: date | None = None
) -> TrialBalance:
    """Return the running balances, or those of all days through `through`, which is included.

    With `at`, return the sums of all postings up to and including that time of posting.
    `connection` must read from one snapshot.
    """
    if at is None:
        days = true() if through is None else JOURNAL_TOTAL.c.day <= through
        count = select(func.sum(JOURNAL_TOTAL.c.transactions)).where(days)
    else:
        count = select(func.count()).select_from(TRANSACTION).where(Period(at=at).condition)
    transactions = int(await connection.scalar(count) or 0)
    return TrialBalance(transactions, await read_balances(connection, at, through))


async def read_balances(
    connection: AsyncConnection,
    at: datetime | None = None,
    through: date | None = None,
    lines: LineFilter | None = None,
) -> Sequence[Balance]:
    """Return the balances that `read_books` sums up, of the accounts and currency of `lines`."""
    wanted = lines or LineFilter()
    sums = _summed_days(through) if at is None else _summed_postings(at)
    currency = true() if wanted.currency is None else sums.c.currency == wanted.currency
    columns = ACCOUNT.c
    rows = await connection.execute(
        select(columns.name, columns.network, sums.c.currency, sums.c.amount, columns.account)
        .join_from(sums, ACCOUNT, columns.id == sums.c.account_id)
        .where(wanted.on_account, currency)
        .order_by(columns.name, sums.c.currency, columns.network)
    )
    return [Balance(*row) for row in rows]


def _summed_postings(at: datetime) -> FromClause:
    return (
        select(
            POSTING.c.account_id,
            POSTING.c.currency,
            func.sum(POSTING.c.amount).label("amount"),
        )
        .join_from(POSTING, TRANSACTION, TRANSACTION.c.id == POSTING.c.transaction_id)
        .where(Period(at=at).condition)
        .group_by(POSTING.c.account_id, POSTING.c.currency)
        .subquery()
    )


def _summed_days(through: date | None) -> FromClause:
    days = true() if through is None else BALANCE.c.day <= through
    return (
        select(
            BALANCE.c.account_id,
            BALANCE.c.currency,
            func.sum(BALANCE.c.amount).label("amount"),
        )
        .where(days)
        .group_by(BALANCE.c.account_id, BALANCE.c.currency)
        .subquery()
    )


async def read_statement(
    connection: AsyncConnection, wanted: Selection | None = None
) -> Sequence[Transaction]:
    """Return the newest transactions of a selection, in posting order."""
    wanted = wanted or Selection()
    rows = await connection.execute(_lines(TRANSACTION.c.id.in_(chosen(wanted)), wanted.lines))
    return list(_transactions(rows))


async def read_transaction(
    connection: AsyncConnection, number: int, lines: LineFilter | None = None
) -> Transaction | None:
    """Return one transaction, or None if there is none with such lines."""
    rows = await connection.execute(_lines(TRANSACTION.c.id == number, lines or LineFilter()))
    return next(iter(_transactions(rows)), None)


def _lines(condition: ColumnElement[bool], lines: LineFilter) -> Select[Any]:
    return (
        select(
            TRANSACTION.c.id,
            TRANSACTION.c.posted_at,
            TRANSACTION.c.day,
            TRANSACTION.c.event_id,
            func.coalesce(EVENT.c.type, TRANSFERRED).label("type"),
            func.coalesce(EVENT.c.reference, TRANSFER.c.reference).label("reference"),
            EVENT.c.provider_reference,
            EVENT.c.unread,
            EVENT.c.test,
            recorded_body(),
            TRANSACTION.c.transfer_id,
            TRANSFER.c.who,
            TRANSFER.c.reason,
            TRANSFER.c.undoes,
            ACCOUNT.c.name,
            ACCOUNT.c.network,
            POSTING.c.currency,
            POSTING.c.amount,
        )
        .select_from(with_causes())
        .join(POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .where(condition, lines.on_account, lines.on_posting)
        .order_by(TRANSACTION.c.id, POSTING.c.line)
    )


def with_causes() -> FromClause:
    """Return transactions joined with their event or their transfer; the other one is null."""
    return TRANSACTION.outerjoin(EVENT, EVENT.c.event_id == TRANSACTION.c.event_id).outerjoin(
        TRANSFER, TRANSFER.c.id == TRANSACTION.c.transfer_id
    )


def _transactions(rows: Iterable[Row[Any]]) -> Iterable[Transaction]:
    for _, group in groupby(rows, key=attrgetter("id")):
        first, *others = group
        yield Transaction(
            id=first.id,
            posted_at=first.posted_at,
            day=first.day,
            event_id=first.event_id,
            type=first.type,
            reference=first.reference,
            provider_reference=first.provider_reference,
            lines=[
                Line(row.name, row.network, row.currency, row.amount) for row in (first, *others)
            ],
            test=first.test,
            unread=json.loads(first.unread or "[]"),
            recorded=authorship_of(first.recorded_body),
            transfer=None
            if first.transfer_id is None
            else TransferCause(first.transfer_id, first.who, first.reason, first.undoes),
        )
