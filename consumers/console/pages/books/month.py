"""The report of a month: opening balance, movements by type, closing balance of each account."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.books.asked import LINE_FILTERS, lines_of, month_of, options_of
from consumers.console.web.visit import ConsoleVisit
from consumers.ledger.reading.month import AccountMonth, read_month
from router.contract.amounts import amount_text
from router.terminal.typed import typed

OPENING, CLOSING = "opening", "closing"
_MONTHS = 24


@dataclass(frozen=True)
class MonthLine:
    """A line of the report: the opening balance, a movement, or the closing balance."""

    of: AccountMonth
    movement: str
    amount: Decimal
    postings: int | None = None


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[MonthLine]:
    """Return the whole report."""
    first = month_of(question.filters, visit)
    async with visit.reading("ledger") as connection:
        found = await read_month(connection, first, lines_of(visit, question.filters))
    reconciled = all(each.is_reconciled for each in found)
    note = "books.month.reconciled" if reconciled else "books.month.not_reconciled"
    rows = [line for each in found for line in _lines(each)]
    return ListedRows(rows, note=visit.text(note, month=f"{first:%Y-%m}"))


def _lines(of: AccountMonth) -> Iterator[MonthLine]:
    yield MonthLine(of, OPENING, of.opening)
    for each in of.movements:
        yield MonthLine(of, each.type, each.amount, each.postings)
    yield MonthLine(of, CLOSING, of.closing)


def _command(visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    month = f"{month_of(filters, visit):%Y-%m}"
    return typed("payrouter ledger month", (month,), options_of(filters))


def _months(visit: ConsoleVisit) -> list[tuple[str, str]]:
    month, found = visit.now.date().replace(day=1), []
    for _ in range(_MONTHS):
        found.append((f"{month:%Y-%m}", month_name(visit, month)))
        month = (month - timedelta(days=1)).replace(day=1)
    return found


def month_name(visit: ConsoleVisit, month: date) -> str:
    """Return the name of a month with its year, in the person's language."""
    return f"{visit.text(f'books.month_name.m{month.month}')} {month.year}"


def _movement(visit: ConsoleVisit, row: MonthLine) -> str:
    shown = row.movement in {OPENING, CLOSING}
    return visit.text(f"books.month.{row.movement}") if shown else row.movement


def _amount(_visit: ConsoleVisit, row: MonthLine) -> Decimal:
    return Decimal(amount_text(row.amount))


MONTH = Listing[MonthLine](
    name="month",
    title="books.month.title",
    columns=(
        ListColumn("merchant", "books.merchant", lambda _, row: row.of.merchant),
        ListColumn("account", "books.account_name", lambda _, row: row.of.account),
        ListColumn("network", "books.network", lambda _, row: row.of.network),
        ListColumn("movement", "books.movement", _movement),
        ListColumn("postings", "books.postings", lambda _, row: row.postings, numeric=True),
        ListColumn("amount", "books.amount", _amount, numeric=True),
        ListColumn("currency", "books.currency", lambda _, row: row.of.currency),
    ),
    filters=(ListFilter("month", "books.month.filter", "choice", _months), *LINE_FILTERS),
    read=read,
    command=_command,
    template="books/list.html",
)
