"""Reads the report of a month: opening balance, movements by type of event, closing balance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, BALANCE, POSTING, TRANSACTION
from consumers.ledger.dates import last_day
from consumers.ledger.facts.exact import exact
from consumers.ledger.reading.selection import LineFilter
from consumers.ledger.reading.statement import TRANSFERRED


@dataclass(frozen=True)
class MonthMovement:
    """Sum and number of the postings of a month that events of one type, or transfers, caused."""

    type: str
    amount: Decimal
    postings: int


@dataclass(frozen=True)
class AccountMonth:
    """The month of one ledger account in one currency.

    `opening` and `closing` are the stored balances before its first and after its last day;
    `movements` are summed from the journal.
    """

    merchant: str
    account: str
    network: str | None
    currency: str
    opening: Decimal
    movements: Sequence[MonthMovement]
    closing: Decimal

    @property
    def is_reconciled(self) -> bool:
        """Whether opening and movements sum to closing."""
        with exact():
            return sum((each.amount for each in self.movements), self.opening) == self.closing


@dataclass
class _Tally:
    sums: dict[tuple[UUID, str], dict[str, MonthMovement]] = field(default_factory=dict)

    def add(self, row: Row[Any]) -> None:
        types = self.sums.setdefault((row.account_id, row.currency), {})
        known = types.get(row.type, MonthMovement(row.type, Decimal(0), 0))
        with exact():
            amount = known.amount + row.amount
        types[row.type] = MonthMovement(row.type, amount, known.postings + row.postings)


async def read_month(
    connection: AsyncConnection, first: date, lines: LineFilter | None = None
) -> Sequence[AccountMonth]:
    """Return the month that begins on `first`, by ledger account and currency, sorted.

    Days are those of the transactions, in UTC. `connection` must read from one snapshot. The
    journal is read day by day, so that no statement takes as long as a month.
    """
    wanted, tally = lines or LineFilter(), _Tally()
    for day in await _days(connection, first, wanted):
        for row in await connection.execute(_moved_on(day, wanted)):
            tally.add(row)
    rows = await connection.execute(_balances(first, wanted))
    return list(_accounts(rows, tally.sums))


async def _days(connection: AsyncConnection, first: date, wanted: LineFilter) -> Sequence[date]:
    """Return the days of the month with a posting to a wanted account."""
    rows = await connection.scalars(
        select(BALANCE.c.day)
        .distinct()
        .join(ACCOUNT, ACCOUNT.c.id == BALANCE.c.account_id)
        .where(BALANCE.c.day.between(first, last_day(first)), wanted.on_account)
        .order_by(BALANCE.c.day)
    )
    return rows.all()


def _moved_on(day: date, wanted: LineFilter) -> Select[Any]:
    # A description begins with the type of its event: a search of each event would be most of the
    # time of a report.
    described = func.split_part(TRANSACTION.c.description, " ", 1)
    kind = case((TRANSACTION.c.event_id.is_(None), TRANSFERRED), else_=described).label("type")
    amount = func.sum(POSTING.c.amount).label("amount")
    return (
        select(
            POSTING.c.account_id, POSTING.c.currency, kind, amount, func.count().label("postings")
        )
        .select_from(TRANSACTION)
        .join(POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .where(TRANSACTION.c.day == day, wanted.on_account, wanted.on_posting)
        .group_by(POSTING.c.account_id, POSTING.c.currency, kind)
    )


def _balances(first: date, wanted: LineFilter) -> Select[Any]:
    before = BALANCE.c.day <= first - timedelta(days=1)
    opening = func.coalesce(func.sum(BALANCE.c.amount).filter(before), 0).label("opening")
    columns = ACCOUNT.c
    query = (
        select(
            *(columns.id, columns.account, columns.name, columns.network, BALANCE.c.currency),
            *(opening, func.sum(BALANCE.c.amount).label("closing")),
        )
        .join_from(BALANCE, ACCOUNT, columns.id == BALANCE.c.account_id)
        .where(BALANCE.c.day <= last_day(first), wanted.on_account)
        .group_by(columns.id, BALANCE.c.currency)
        .order_by(columns.name, BALANCE.c.currency, columns.network)
    )
    if wanted.currency is not None:
        query = query.where(BALANCE.c.currency == wanted.currency)
    return query


def _accounts(
    rows: Iterable[Row[Any]], sums: Mapping[tuple[UUID, str], Mapping[str, MonthMovement]]
) -> Iterable[AccountMonth]:
    for row in rows:
        moved = sums.get((row.id, row.currency), {})
        yield AccountMonth(
            merchant=row.account,
            account=row.name,
            network=row.network,
            currency=row.currency,
            opening=Decimal(row.opening),
            movements=[moved[each] for each in sorted(moved)],
            closing=row.closing,
        )
