"""The lists of parked and of dead records."""

from functools import partial
from typing import Final

from consumers.console.listing.listing import ListColumn, Listing
from consumers.console.pages.groups.held_rows import (
    HELD_FILTERS,
    HeldEntry,
    held_command,
    read_held,
)
from consumers.runtime.fate import Fate

_NAMES: Final = {Fate.PARKED: "parked", Fate.DEAD: "dead"}


def make_held_listing(state: Fate) -> Listing[HeldEntry]:
    """Return the list of the held records of a state."""
    name = _NAMES[state]
    columns = [
        ListColumn[HeldEntry]("consumer", "groups.column.consumer", lambda _, each: each.consumer),
        ListColumn[HeldEntry](
            "number", "groups.column.number", lambda _, each: each.row.id, "number", numeric=True
        ),
        ListColumn[HeldEntry]("record", "groups.column.record", lambda _, each: each.place),
        ListColumn[HeldEntry]("account", "groups.column.account", lambda _, each: each.row.account),
        ListColumn[HeldEntry](
            "event", "groups.column.event", lambda _, each: each.row.event_id, "event"
        ),
        ListColumn[HeldEntry](
            "since", "groups.column.since", lambda _, each: each.row.first_failed_at
        ),
        ListColumn[HeldEntry](
            "attempts", "groups.column.attempts", lambda _, each: each.row.attempts, numeric=True
        ),
        ListColumn[HeldEntry]("reason", "groups.column.reason", lambda _, each: each.row.reason),
        ListColumn[HeldEntry](
            "error", "groups.column.error", lambda visit, each: visit.free_text(each.row.error)
        ),
    ]
    if state is Fate.PARKED:
        due = ListColumn[HeldEntry]("due_at", "groups.column.due", lambda _, each: each.row.due_at)
        columns.append(due)
    return Listing(
        name=name,
        title=f"groups.{name}.title",
        columns=columns,
        read=partial(read_held, state),
        command=partial(held_command, state),
        filters=HELD_FILTERS,
        macros="groups/cells.html",
        template="groups/held.html",
        select=lambda each: each.id,
    )
