"""Stock of every article, and how much of it is reserved or sold."""

from collections.abc import Mapping

from consumers.console.listing.cursors import cursor_of, read_cursor
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.books.asked import options_of
from consumers.console.web.visit import ConsoleVisit
from consumers.inventory.state.shelf import Stock
from consumers.inventory.store.listing import read_stock
from router.terminal.typed import typed


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[Stock]:
    """Return some articles."""
    after = None
    if question.after is not None:
        account, sku = read_cursor(question.after, (str, str))
        after = (account, sku)
    allowed = visit.viewer.accounts
    async with visit.reading("inventory") as connection:
        found = await read_stock(
            connection, question.filters.get("account"), allowed, after, question.limit
        )
    last = len(found) < question.limit
    return ListedRows(found, None if last else cursor_of(found[-1].account, found[-1].sku))


def _command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    return typed("payrouter inventory stock", (), options_of(filters))


STOCK = Listing[Stock](
    name="stock",
    title="books.stock.title",
    columns=(
        ListColumn("account", "books.merchant", lambda _, row: row.account),
        ListColumn("sku", "books.sku", lambda _, row: row.sku),
        ListColumn("on_hand", "books.on_hand", lambda _, row: row.on_hand, numeric=True),
        ListColumn("reserved", "books.reserved", lambda _, row: row.reserved, numeric=True),
        ListColumn("sold", "books.sold", lambda _, row: row.committed, numeric=True),
        ListColumn("available", "books.available", lambda _, row: row.available, numeric=True),
        ListColumn("oversold", "books.oversold", lambda _, row: row.oversold, numeric=True),
    ),
    filters=(ListFilter("account", "books.merchant"),),
    read=read,
    command=_command,
    template="books/list.html",
)
