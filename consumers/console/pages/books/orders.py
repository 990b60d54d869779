"""Orders, and payments that wait for one; those that changed last first."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

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
from consumers.inventory.store.listing import (
    STATUSES,
    ListedOrder,
    OrderSelection,
    read_orders,
)
from router.terminal.typed import typed


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[ListedOrder]:
    """Return some orders."""
    filters, after = question.filters, question.after
    place = None
    if after is not None:
        changed, number = read_cursor(after, (datetime.fromisoformat, UUID))
        place = (changed, number)
    wanted = OrderSelection(
        filters.get("status"),
        filters.get("account"),
        filters.get("order"),
        visit.viewer.accounts,
        place,
        question.limit,
    )
    async with visit.reading("inventory") as connection:
        found = await read_orders(connection, wanted)
    last = len(found) < question.limit
    return ListedRows(list(reversed(found)), None if last else cursor_of(*found[0].place))


def _command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    return typed("payrouter inventory orders", (), options_of(filters))


def status_word(visit: ConsoleVisit, status: str) -> str:
    """Return a status in the person's language; one that has no text stays as it is."""
    known = ("new", *STATUSES)
    return visit.text(f"books.status.{status}") if status in known else status


def _statuses(visit: ConsoleVisit) -> list[tuple[str, str]]:
    return [(each, status_word(visit, each)) for each in STATUSES]


def _lines(_visit: ConsoleVisit, row: ListedOrder) -> str:
    return ", ".join(f"{sku}={number}" for sku, number in row.lines.items())


def _payment(_visit: ConsoleVisit, row: ListedOrder) -> str | None:
    if row.provider is None:
        return None
    return " ".join(filter(None, (row.provider, row.provider_reference, row.payment)))


ORDERS = Listing[ListedOrder](
    name="orders",
    title="books.orders.title",
    columns=(
        ListColumn("order", "books.order", lambda _, row: row.reference, cell="listed_order"),
        ListColumn("account", "books.merchant", lambda _, row: row.account),
        ListColumn("status", "books.status_label", lambda _, row: row.status, cell="status"),
        ListColumn("lines", "books.lines", _lines),
        ListColumn("payment", "books.payment", _payment),
        ListColumn("total", "books.total", lambda _, row: row.total, numeric=True),
        ListColumn("currency", "books.currency", lambda _, row: row.currency),
        ListColumn("changed_at", "books.changed_at", lambda _, row: row.updated_at),
        ListColumn("expires_at", "books.expires_at", lambda _, row: row.expires_at),
    ),
    filters=(
        ListFilter("status", "books.status_label", "choice", _statuses),
        ListFilter("account", "books.merchant"),
        ListFilter("order", "books.order"),
    ),
    read=read,
    command=_command,
    macros="books/cells.html",
    template="books/list.html",
)
