"""The statement: transactions with their postings, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from consumers.console.listing.cursors import cursor_of, read_cursor
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.books.asked import LINE_FILTERS, day_of, lines_of, options_of
from consumers.console.web.visit import ConsoleVisit
from consumers.ledger.reading.selection import Period, Selection
from consumers.ledger.reading.statement import Line, Transaction, read_statement
from router.terminal.typed import typed


@dataclass(frozen=True)
class StatementLine:
    """A posting with its transaction."""

    transaction: Transaction
    line: Line


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[StatementLine]:
    """Return the postings of some transactions, newest transaction first."""
    filters, after = question.filters, question.after
    period = Period(first=day_of(filters, "first"), last=day_of(filters, "through"))
    wanted = Selection(
        lines_of(visit, filters),
        filters.get("order"),
        period,
        question.limit,
        None if after is None else read_cursor(after, (int,))[0],
    )
    async with visit.reading("ledger") as connection:
        found = await read_statement(connection, wanted)
    rows = [StatementLine(each, line) for each in reversed(found) for line in each.lines]
    return ListedRows(rows, cursor_of(found[0].id) if len(found) == question.limit else None)


def _command(visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    options = options_of(filters)
    after = visit.query.one("after")
    if after:
        options["--below"] = str(read_cursor(after, (int,))[0])
    return typed("payrouter ledger statement", (), options)


def _order(_visit: ConsoleVisit, row: StatementLine) -> str | None:
    return row.transaction.reference or row.transaction.provider_reference


def _amount(_visit: ConsoleVisit, row: StatementLine) -> Decimal:
    return row.line.amount


def _number(_visit: ConsoleVisit, row: StatementLine) -> int:
    return row.transaction.id


STATEMENT = Listing[StatementLine](
    name="statement",
    title="books.statement.title",
    columns=(
        ListColumn("transaction", "books.transaction", _number, cell="transaction"),
        ListColumn("posted_at", "books.posted_at", lambda _, row: row.transaction.posted_at),
        ListColumn("day", "books.day", lambda _, row: str(row.transaction.day)),
        ListColumn("type", "books.type", lambda _, row: row.transaction.type),
        ListColumn("order", "books.order", _order, cell="order"),
        ListColumn("account", "books.account_name", lambda _, row: row.line.account),
        ListColumn("network", "books.network", lambda _, row: row.line.network),
        ListColumn("amount", "books.amount", _amount, numeric=True),
        ListColumn("currency", "books.currency", lambda _, row: row.line.currency),
    ),
    filters=(
        *LINE_FILTERS,
        ListFilter("order", "books.order"),
        ListFilter("first", "books.first", "date"),
        ListFilter("through", "books.through", "date"),
    ),
    read=read,
    command=_command,
    macros="books/cells.html",
    template="books/list.html",
)
