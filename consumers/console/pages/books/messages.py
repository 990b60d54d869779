"""Messages to customers and operators, newest first."""

from collections.abc import Mapping
from dataclasses import replace
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
from consumers.notifications.reading import MessageFilter, MessageRow, list_messages
from consumers.notifications.rules import KINDS
from consumers.notifications.tables import STATES
from router.terminal.typed import typed


def filter_of(visit: ConsoleVisit, filters: Mapping[str, str]) -> MessageFilter:
    """Return which messages are shown: what the filters select, of what the person may see."""
    return MessageFilter(
        state=filters.get("state"),
        order=filters.get("order"),
        channel=filters.get("channel"),
        kind=filters.get("kind"),
        account=filters.get("account"),
        merchants=visit.viewer.accounts,
    )


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[MessageRow]:
    """Return some messages."""
    wanted = replace(filter_of(visit, question.filters), limit=question.limit)
    if question.after is not None:
        created, number = read_cursor(question.after, (datetime.fromisoformat, UUID))
        wanted = replace(wanted, after=(created, number))
    async with visit.reading("notifications") as connection:
        found = await list_messages(connection, wanted)
    last = len(found) < question.limit
    return ListedRows(list(reversed(found)), None if last else cursor_of(*found[0].place))


def _command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    return typed("payrouter notifications list", (), options_of(filters))


def state_word(visit: ConsoleVisit, state: str) -> str:
    """Return a state in the person's language; one that has no text stays as it is."""
    return visit.text(f"books.state.{state}") if state in STATES else state


def problem_of(visit: ConsoleVisit, row: MessageRow) -> str:
    """Return why sending failed; the answer of a mail server may contain an address."""
    words = (row.last_error or "").split()
    return " ".join(visit.personal(each) if "@" in each else each for each in words)


def _states(visit: ConsoleVisit) -> list[tuple[str, str]]:
    return [(each, state_word(visit, each)) for each in STATES]


def _kinds(_visit: ConsoleVisit) -> list[tuple[str, str]]:
    return [(each, each) for each in KINDS]


MESSAGES = Listing[MessageRow](
    name="messages",
    title="books.messages.title",
    columns=(
        ListColumn("message", "books.message", lambda _, row: str(row.id), cell="message"),
        ListColumn("state", "books.state_label", lambda _, row: row.state, cell="state"),
        ListColumn("kind", "books.kind", lambda _, row: row.kind),
        ListColumn("order", "books.order", lambda _, row: row.order, cell="message_order"),
        ListColumn("account", "books.merchant", lambda _, row: row.account),
        ListColumn("recipient", "books.recipient", lambda _, row: row.recipient),
        ListColumn("channel", "books.channel", lambda _, row: row.channel),
        ListColumn("address", "books.address", lambda visit, row: visit.personal(row.address)),
        ListColumn("created_at", "books.created_at", lambda _, row: row.created_at),
        ListColumn("attempts", "books.attempts", lambda _, row: row.attempts, numeric=True),
        ListColumn("problem", "books.problem", problem_of),
    ),
    filters=(
        ListFilter("state", "books.state_label", "choice", _states),
        ListFilter("kind", "books.kind", "choice", _kinds),
        ListFilter("channel", "books.channel"),
        ListFilter("account", "books.merchant"),
        ListFilter("order", "books.order"),
    ),
    read=read,
    command=_command,
    macros="books/cells.html",
    template="books/messages.html",
    select=lambda row: str(row.id),
)
