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

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, func, or_, select, true
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


@dataclass(frozen=True)
class Balance:
    """The sum of all postings of one account in one currency."""

    account: str
    network: str | None
    currency: str
    amount: Decimal


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
        pairs = groupby(self.balances, key=lambda each: (each.account, each.currency))
        groups = [(account, currency, list(parts)) for (account, currency), parts in pairs]
        with exact():
            return [
                NamedBalance(
                    account, currency, sum((each.amount for each in parts), Decimal(0)), parts
                )
                for account, currency, parts in groups
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


@dataclass(frozen=True)
class Period:
    """A range of posting times: `since` <= time < `before`, and time <= `at`; None is open."""

    since: datetime | None = None
    before: datetime | None = None
    at: datetime | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """The SQL condition on a row of `transaction`."""
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
    """Criteria for transactions.

    `account` is the name of a ledger account or its first parts (`shop-eu`,
    `shop-eu:blockatm`): only lines of matching accounts are returned. `order`
    is the merchant's reference or the gateway's, or the reference of a transfer.
    """

    account: str | None = None
    order: str | None = None
    period: Period = Period()
    limit: int = 50


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
        sums = _summed_days(through)
    else:
        until = Period(at=at).condition
        count = select(func.count()).select_from(TRANSACTION).where(until)
        sums = (
            select(
                POSTING.c.account_id,
                POSTING.c.currency,
                func.sum(POSTING.c.amount).label("amount"),
            )
            .join_from(POSTING, TRANSACTION, TRANSACTION.c.id == POSTING.c.transaction_id)
            .where(until)
            .group_by(POSTING.c.account_id, POSTING.c.currency)
            .subquery()
        )
    transactions = int(await connection.scalar(count) or 0)
    rows = await connection.execute(
        select(ACCOUNT.c.name, ACCOUNT.c.network, sums.c.currency, sums.c.amount)
        .join_from(sums, ACCOUNT, ACCOUNT.c.id == sums.c.account_id)
        .order_by(ACCOUNT.c.name, sums.c.currency, ACCOUNT.c.network)
    )
    return TrialBalance(transactions, [Balance(*row) for row in rows])


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
    chosen = (
        select(TRANSACTION.c.id)
        .where(of_order(wanted.order), _touches(wanted.account), wanted.period.condition)
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
        .where(TRANSACTION.c.id.in_(chosen), _of_account(account))
        .order_by(TRANSACTION.c.id, POSTING.c.line)
    )


def with_causes() -> FromClause:
    """Return transactions joined with their event or their transfer; the other one is null."""
    return TRANSACTION.outerjoin(EVENT, EVENT.c.event_id == TRANSACTION.c.event_id).outerjoin(
        TRANSFER, TRANSFER.c.id == TRANSACTION.c.transfer_id
    )


def of_order(order: str | None) -> ColumnElement[bool]:
    """Select the transactions of an order, or of a gateway's payment, by indexed columns only."""
    if order is None:
        return true()
    named = or_(EVENT.c.reference == order, EVENT.c.provider_reference == order)
    events = func.array(select(EVENT.c.event_id).where(named).scalar_subquery())
    transfers = func.array(
        select(TRANSFER.c.id).where(TRANSFER.c.reference == order).scalar_subquery()
    )
    # As arrays, so that both are searched by their index; a join would read the whole journal.
    return or_(
        TRANSACTION.c.event_id == func.any(events),
        and_(
            TRANSACTION.c.transfer_id.is_not(None), TRANSACTION.c.transfer_id == func.any(transfers)
        ),
    )


def _of_account(account: str | None) -> ColumnElement[bool]:
    if account is None:
        return true()
    return or_(ACCOUNT.c.name == account, func.starts_with(ACCOUNT.c.name, f"{account}:"))


def _touches(account: str | None) -> ColumnElement[bool]:
    if account is None:
        return true()
    return (
        select(POSTING.c.line)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .where(POSTING.c.transaction_id == TRANSACTION.c.id, _of_account(account))
        .exists()
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
