"""The list of deliveries: its columns, and a note about what was not read."""

from collections.abc import Mapping
from functools import partial

from consumers.console.access.viewer import Role
from consumers.console.listing.listing import ListColumn, ListedRows, Listing, ListQuestion
from consumers.console.pages.deliveries.bounds import BoundsMalformed
from consumers.console.pages.deliveries.broker import asked_broker
from consumers.console.pages.deliveries.filters import FILTERS, delivery_filter, list_command
from consumers.console.pages.deliveries.links import delivery_path, replay_path
from consumers.console.pages.deliveries.reading import DeliveryPage, read_deliveries
from consumers.console.pages.deliveries.seen import DeliveryOutcome, SeenDelivery
from consumers.console.web.problems import WrongInput
from consumers.console.web.times import exact_text
from consumers.console.web.visit import ConsoleVisit

_REPLAYED_BY = ("endpoint", "account", "reason", "since")
"""Filters of the list that a replay has too."""


async def read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[SeenDelivery]:
    """Read a page of the list."""
    wanted = delivery_filter(visit, question.filters)
    topics = visit.sources.settings.topics.topics()
    try:
        async with asked_broker(visit) as kafka:
            page = await read_deliveries(kafka, topics, wanted, question.after, question.limit)
    except BoundsMalformed:
        field, expected = "after", visit.text("deliveries.after")
        raise WrongInput(field, expected) from None
    return ListedRows(page.rows, page.after, _note(visit, page))


def _note(visit: ConsoleVisit, page: DeliveryPage) -> str:
    notes = []
    if not page.whole and page.reached is not None:
        reached = exact_text(page.reached, visit.zone)
        notes.append(visit.text("deliveries.note.stopped", read=page.read, reached=reached))
    elif not page.whole:
        notes.append(visit.text("deliveries.note.stopped_early", read=page.read))
    if page.unreadable:
        notes.append(visit.count("deliveries.note.unreadable", page.unreadable))
    if page.missing:
        notes.append(visit.text("deliveries.note.missing", topics=", ".join(page.missing)))
    return " ".join(notes)


async def more(visit: ConsoleVisit) -> Mapping[str, object]:
    """Return the path of the replay of what is listed, empty if it cannot be replayed.

    Also the function that returns the path of a row.
    """
    given = {name: visit.query.one(name) for name in _REPLAYED_BY}
    topics = visit.sources.settings.topics.topics()
    may = visit.sources.settings.console.actions and visit.viewer.may_somewhere(Role.OPERATOR)
    listed = visit.query.one("outcome") == DeliveryOutcome.QUARANTINED
    path = replay_path(**{name: value for name, value in given.items() if value})
    return {
        "replay": path if may and listed else "",
        "delivery_path": partial(delivery_path, topics),
    }


LISTING: Listing[SeenDelivery] = Listing(
    name="deliveries",
    title="deliveries.title",
    columns=(
        ListColumn("stored", "deliveries.column.stored", lambda _, row: row.at),
        ListColumn(
            "outcome", "deliveries.column.outcome", lambda _, row: row.outcome.value, "outcome"
        ),
        ListColumn("reason", "deliveries.column.reason", lambda _, row: row.reason, "reason"),
        ListColumn("endpoint", "deliveries.column.endpoint", lambda _, row: row.endpoint),
        ListColumn("account", "deliveries.column.account", lambda _, row: row.account),
        ListColumn(
            "reference", "deliveries.column.reference", lambda _, row: row.reference, "reference"
        ),
        ListColumn("id", "deliveries.column.id", lambda _, row: str(row.id), "details"),
    ),
    read=read,
    command=list_command,
    filters=FILTERS,
    macros="deliveries/cells.html",
    template="deliveries/list.html",
    live=True,
    more=more,
)
