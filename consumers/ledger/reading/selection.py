"""Selects transactions of the journal: by account, order and time, in pages, newest first."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, or_, select, true
from sqlalchemy.sql.selectable import LateralFromClause

from consumers.ledger.book import ACCOUNT, BALANCE, EVENT, POSTING, TRANSACTION, TRANSFER


@dataclass(frozen=True)
class Period:
    """A range of times of posting and of days; None is open.

    `since` <= time of posting < `before`, and time of posting <= `at`; `first` <= day <= `last`.
    """

    since: datetime | None = None
    before: datetime | None = None
    at: datetime | None = None
    first: date | None = None
    last: date | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """The SQL condition on a row of `transaction`."""
        posted, day = TRANSACTION.c.posted_at, TRANSACTION.c.day
        limits = (
            None if self.since is None else posted >= self.since,
            None if self.before is None else posted < self.before,
            None if self.at is None else posted <= self.at,
            None if self.first is None else day >= self.first,
            None if self.last is None else day <= self.last,
        )
        return and_(true(), *(each for each in limits if each is not None))

    @property
    def between(self) -> ColumnElement[bool]:
        """The range of numbers of transactions with these days, if both are given.

        With it a page of an old month costs what the month has, not what came after it.
        """
        if self.first is None or self.last is None:
            return true()
        return TRANSACTION.c.id.between(self._edge("min"), self._edge("max"))

    def _edge(self, which: str) -> ScalarSelect[int]:
        # An expression, or PostgreSQL would walk the primary key from its end to find it.
        number = TRANSACTION.alias("dated")
        day = number.c.day.between(self.first, self.last)
        return select(getattr(func, which)(number.c.id + 0)).where(day).scalar_subquery()


@dataclass(frozen=True)
class LineFilter:
    """Criteria for postings; None matches all.

    `account` is the name of a ledger account or its first parts (`shop-eu`, `shop-eu:blockatm`);
    `merchants` are those whose accounts may be shown.
    """

    account: str | None = None
    merchants: frozenset[str] | None = None
    purpose: str | None = None
    network: str | None = None
    currency: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether every posting matches."""
        return self == LineFilter()

    @property
    def names_accounts(self) -> bool:
        """Whether it selects accounts, not only a currency."""
        return self != LineFilter(currency=self.currency)

    @property
    def on_account(self) -> ColumnElement[bool]:
        """The SQL condition on a row of `account`."""
        columns = ACCOUNT.c
        found: list[ColumnElement[bool]] = [true()]
        if self.account is not None:
            below = func.starts_with(columns.name, f"{self.account}:")
            found.append(or_(columns.name == self.account, below))
        if self.merchants is not None:
            found.append(columns.account.in_(sorted(self.merchants)))
        if self.purpose is not None:
            found.append(columns.purpose == self.purpose)
        if self.network is not None:
            found.append(columns.network == self.network)
        if self.currency is not None:
            # An account that never had the currency would be searched to its first posting.
            found.append(_had(self.currency))
        return and_(*found)

    @property
    def on_posting(self) -> ColumnElement[bool]:
        """The SQL condition on a row of `posting`."""
        return true() if self.currency is None else POSTING.c.currency == self.currency


@dataclass(frozen=True)
class Selection:
    """Criteria for transactions.

    Only lines that match `lines` are returned, and transactions with such a line. `order` is the
    merchant's reference or the gateway's, or the reference of a transfer. `below` is the number of
    a transaction: only older ones are returned.
    """

    lines: LineFilter = LineFilter()
    order: str | None = None
    period: Period = Period()
    limit: int = 50
    below: int | None = None


def chosen(wanted: Selection) -> Select[int]:
    """Return the query of the numbers of the newest transactions of a selection, newest first."""
    if not wanted.lines.names_accounts or wanted.order is not None:
        return (
            select(TRANSACTION.c.id)
            .where(of_order(wanted.order), _touches(wanted.lines), _in_time(wanted))
            .order_by(TRANSACTION.c.id.desc())
            .limit(wanted.limit)
        )
    newest = _newest_of_account(wanted)
    return (
        select(newest.c.id)
        .distinct()
        .select_from(ACCOUNT.join(newest, true()))
        .where(wanted.lines.on_account)
        .order_by(newest.c.id.desc())
        .limit(wanted.limit)
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


def _had(currency: str) -> ColumnElement[bool]:
    return (
        select(BALANCE.c.day)
        .where(BALANCE.c.account_id == ACCOUNT.c.id, BALANCE.c.currency == currency)
        .correlate(ACCOUNT)
        .exists()
    )


def _in_time(wanted: Selection) -> ColumnElement[bool]:
    older = true() if wanted.below is None else TRANSACTION.c.id < wanted.below
    return and_(older, wanted.period.condition, wanted.period.between)


def _touches(lines: LineFilter) -> ColumnElement[bool]:
    if lines.is_open:
        return true()
    touches = (
        select(POSTING.c.line)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .where(POSTING.c.transaction_id == TRANSACTION.c.id, lines.on_account, lines.on_posting)
        .exists()
    )
    # Without such an account every transaction would be compared.
    return and_(select(ACCOUNT.c.id).where(lines.on_account).exists(), touches)


def _newest_of_account(wanted: Selection) -> LateralFromClause:
    """Return the newest transactions of each ledger account, by the index of its postings.

    One search of the whole journal would read all that is newer than the postings of a quiet
    account.
    """
    number = POSTING.c.transaction_id.label("id")
    newest = (
        select(number)
        .distinct()
        .where(POSTING.c.account_id == ACCOUNT.c.id, wanted.lines.on_posting)
    )
    if wanted.below is not None:
        newest = newest.where(POSTING.c.transaction_id < wanted.below)
    if wanted.period != Period():
        dated = TRANSACTION.c.id == POSTING.c.transaction_id
        newest = newest.join(TRANSACTION, dated).where(wanted.period.condition)
        newest = newest.where(wanted.period.between)
    ordered = newest.order_by(number.desc()).limit(wanted.limit)
    return ordered.correlate(ACCOUNT).lateral("newest")
