"""Reads held records of every consumer, the viewer's own merchants only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from consumers.console.listing.cursors import cursor_of, read_cursor, row_number
from consumers.console.listing.listing import ListedRows, ListFilter, ListQuestion
from consumers.console.web.problems import NotThere, WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.apply.held import HeldReason
from consumers.runtime.commands.actions.held_admin import (
    Filter,
    HeldContent,
    HeldRow,
    content,
    list_held,
)
from consumers.runtime.fate import Fate
from router.terminal.typed import typed

HELD_COMMANDS: Final = {Fate.PARKED: "payrouter parked list", Fate.DEAD: "payrouter dlq list"}
"""The command that lists the records of a state."""

_SINCE: Final = "since"
_EVENT: Final = "event"


@dataclass(frozen=True)
class HeldEntry:
    """A held record of a consumer."""

    consumer: str
    row: HeldRow

    @property
    def id(self) -> str:
        """Its name in URLs: consumer and number."""
        return f"{self.consumer}:{self.row.id}"

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        return f"{self.row.topic}-{self.row.partition}@{self.row.offset}"


def consumer_choices(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    """Return the consumers, as the values of a filter."""
    return [(name, name) for name in sorted(visit.sources.consumers)]


def _reasons(_visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(each.value, each.value) for each in HeldReason]


HELD_FILTERS: Final = (
    ListFilter("consumer", "groups.column.consumer", "choice", consumer_choices),
    ListFilter("topic", "groups.column.topic"),
    ListFilter("reason", "groups.column.reason", "choice", _reasons),
    ListFilter("account", "groups.column.account"),
    ListFilter(_EVENT, "groups.column.event"),
    ListFilter(_SINCE, "groups.filter.since", "date"),
)
"""The filters of both lists."""


async def read_held(
    state: Fate, visit: ConsoleVisit, question: ListQuestion
) -> ListedRows[HeldEntry]:
    """Return held records of a state: of one consumer after the other, the oldest first."""
    wanted = held_filter(visit, question.filters)
    begins, number = _place(question.after)
    found: list[HeldEntry] = []
    for name in asked_consumers(visit, question.filters):
        limit = question.limit + 1 - len(found)
        if name < begins or limit <= 0:
            continue
        own = replace(wanted, after=number if name == begins else None, limit=limit)
        async with visit.reading(name) as connection:
            tables = visit.sources.consumers[name].tables
            rows = await list_held(connection, tables, state, own)
        found += [HeldEntry(name, row) for row in rows]
    shown = found[: question.limit]
    more = len(found) > question.limit
    return ListedRows(shown, cursor_of(shown[-1].consumer, shown[-1].row.id) if more else None)


def asked_consumers(visit: ConsoleVisit, filters: Mapping[str, str]) -> Sequence[str]:
    """Return the consumers to read; raises WrongInput for one that does not exist."""
    names = sorted(visit.sources.consumers)
    if "consumer" not in filters:
        return names
    if filters["consumer"] not in names:
        field = "consumer"
        raise WrongInput(field, ", ".join(names))
    return [filters["consumer"]]


def held_filter(visit: ConsoleVisit, filters: Mapping[str, str]) -> Filter:
    """Return the conditions of a query; raises WrongInput for a value that no filter has."""
    accounts, account = visit.viewer.accounts, filters.get("account")
    if account is not None:
        allowed = accounts is None or account in accounts
        accounts = frozenset({account}) if allowed else frozenset()
    reasons = [each.value for each in HeldReason]
    if filters.get("reason", reasons[0]) not in reasons:
        field = "reason"
        raise WrongInput(field, ", ".join(reasons))
    return Filter(
        topic=filters.get("topic"),
        reason=filters.get("reason"),
        event_id=_event_id(filters.get(_EVENT)),
        since=_since(filters.get(_SINCE), visit),
        accounts=accounts,
    )


def held_command(state: Fate, _visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    """Return the command that lists the same records; a command is about one consumer."""
    names = {"--topic": "topic", "--reason": "reason", "--event": _EVENT, "--since": _SINCE}
    given = {option: filters[name] for option, name in names.items() if name in filters}
    return typed(HELD_COMMANDS[state], [filters.get("consumer", "NAME")], given)


async def one_held(
    visit: ConsoleVisit, consumer: str, number: int
) -> tuple[HeldEntry, HeldContent]:
    """Return a held record with its content; raises NotThere, also for another merchant's."""
    if consumer not in visit.sources.consumers:
        raise NotThere
    tables = visit.sources.consumers[consumer].tables
    wanted = Filter(numbers=(number,), accounts=visit.viewer.accounts)
    async with visit.reading(consumer) as connection:
        rows: list[HeldRow] = []
        for state in (Fate.DEAD, Fate.PARKED):
            rows += await list_held(connection, tables, state, wanted)
        inside = await content(connection, tables, number) if rows else None
    if inside is None:
        raise NotThere
    return HeldEntry(consumer, rows[0]), inside


def _place(cursor: str | None) -> tuple[str, int]:
    if cursor is None:
        return "", 0
    name, number = read_cursor(cursor, (str, row_number))
    return name, number


def _event_id(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise WrongInput(_EVENT, "5f0c54b8-…") from None


def _since(text: str | None, visit: ConsoleVisit) -> datetime | None:
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise WrongInput(_SINCE, "2026-11-30") from None
    if found is None or found.tzinfo is not None:
        return found
    return found.replace(tzinfo=visit.zone).astimezone(UTC)
