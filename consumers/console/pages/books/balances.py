"""Balances by account, currency and network, at the end of a day."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from consumers.console.listing.cursors import cursor_of, read_cursor
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.books.asked import (
    LINE_FILTERS,
    day_of,
    lines_of,
    merchants,
    options_of,
)
from consumers.console.web.visit import ConsoleVisit
from consumers.ledger.dates import last_day
from consumers.ledger.reading.statement import Balance, TrialBalance, read_balances
from router.contract.amounts import amount_text
from router.terminal.typed import typed

MONTHS = 2
"""Months before the present one that have a link for each account."""


@dataclass(frozen=True)
class BalanceLink:
    """A link to the balances of an account at the end of a month."""

    account: str
    month: date
    at: date


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[Balance]:
    """Return balances by account, currency and network.

    All are summed for any page: they are few, compared with the days that they sum up.
    """
    filters = question.filters
    through = day_of(filters, "at")
    async with visit.reading("ledger") as connection:
        found = await read_balances(connection, None, through, lines_of(visit, filters))
    ordered = sorted(found, key=_key)
    start = 0
    if question.after is not None:
        start = bisect_right(ordered, tuple(read_cursor(question.after, (str,) * 3)), key=_key)
    rows = ordered[start : start + question.limit]
    more = start + len(rows) < len(ordered)
    after = cursor_of(*_key(rows[-1])) if more else None
    return ListedRows(rows, after, _note(visit, filters, found))


def _key(each: Balance) -> tuple[str, ...]:
    return (each.account, each.currency, each.network or "")


def _note(visit: ConsoleVisit, filters: Mapping[str, str], found: Sequence[Balance]) -> str:
    """Return a warning if accounts that have to sum to zero do not."""
    whole = ":" not in filters.get("account", "") and "network" not in filters
    if whole and not TrialBalance(0, found).balanced:
        return visit.text("books.not_balanced")
    return ""


def _command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    options = options_of(filters)
    if "at" in filters:
        options["--through"] = filters["at"]
    return typed("payrouter ledger balance", (), options)


async def _links(visit: ConsoleVisit) -> Mapping[str, object]:
    """Return links to balances at the ends of the last months."""
    month = visit.now.date().replace(day=1)
    months = [month]
    for _ in range(MONTHS):
        month = (month - timedelta(days=1)).replace(day=1)
        months.append(month)
    return {
        "links": [
            (each, [BalanceLink(each, month, last_day(month)) for month in months])
            for each in merchants(visit)
        ]
    }


def _amount(_visit: ConsoleVisit, row: Balance) -> Decimal:
    return Decimal(amount_text(row.amount))


BALANCES = Listing[Balance](
    name="balances",
    title="books.balances.title",
    columns=(
        ListColumn("merchant", "books.merchant", lambda _visit, row: row.merchant),
        ListColumn("account", "books.account_name", lambda _, row: row.account, cell="account"),
        ListColumn("network", "books.network", lambda _, row: row.network),
        ListColumn("currency", "books.currency", lambda _, row: row.currency),
        ListColumn("balance", "books.balance", _amount, numeric=True),
    ),
    filters=(*LINE_FILTERS, ListFilter("at", "books.at_day", "date")),
    read=read,
    command=_command,
    macros="books/cells.html",
    template="books/balances.html",
    more=_links,
)
