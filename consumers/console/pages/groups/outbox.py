"""The outboxes: records that a consumer has to publish, and those that the broker refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.listing.cursors import cursor_of, read_cursor, row_number
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.groups.held_rows import asked_consumers, consumer_choices
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import NotPermitted
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.apply.outbox import OutboxRow, list_outbox, read_outbox
from consumers.runtime.commands.actions.outbox import queue_again
from router.terminal.typed import typed

_LINES: Final = 20
_REFUSED: Final = "refused"


@dataclass(frozen=True)
class UnsentRecord:
    """A record of a consumer's outbox."""

    consumer: str
    row: OutboxRow


def _states(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(_REFUSED, visit.text("groups.outbox.refused"))]


def make_outbox_listing() -> Listing[UnsentRecord]:
    """Return the list; a record has no merchant, so it is for viewers of every one."""
    return Listing(
        name="outbox",
        title="groups.outbox.title",
        columns=(
            ListColumn("consumer", "groups.column.consumer", lambda _, each: each.consumer),
            ListColumn(
                "number", "groups.column.number", lambda _, each: each.row.number, numeric=True
            ),
            ListColumn("topic", "groups.column.topic", lambda _, each: each.row.topic),
            ListColumn("bytes", "groups.column.bytes", lambda _, each: each.row.size, numeric=True),
            ListColumn("since", "groups.column.since", lambda _, each: each.row.since),
            ListColumn("error", "groups.column.error", lambda _, each: each.row.refused),
        ),
        read=_read,
        command=_command,
        filters=(
            ListFilter("consumer", "groups.column.consumer", "choice", consumer_choices),
            ListFilter("state", "groups.column.state", "choice", _states),
        ),
        live=True,
    )


async def _read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[UnsentRecord]:
    if visit.viewer.accounts is not None:
        raise NotPermitted
    begins, number = read_cursor(question.after, (str, row_number)) if question.after else ("", 0)
    refused = question.filters.get("state") == _REFUSED
    found: list[UnsentRecord] = []
    for name in asked_consumers(visit, question.filters):
        limit = question.limit + 1 - len(found)
        if name < begins or limit <= 0:
            continue
        after = number if name == begins else None
        async with visit.reading(name) as connection:
            tables = visit.sources.consumers[name].tables
            rows = await list_outbox(connection, tables, refused=refused, after=after, limit=limit)
        found += [UnsentRecord(name, row) for row in rows]
    shown = found[: question.limit]
    more = len(found) > question.limit
    return ListedRows(shown, cursor_of(shown[-1].consumer, shown[-1].row.number) if more else None)


def _command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    return typed("payrouter outbox show", [filters.get("consumer", "NAME")])


def make_outbox_action() -> ConsoleAction:
    """Return the action that publishes refused records again."""
    return ConsoleAction("outbox", "groups.again", Role.OPERATOR, _preview, _run, back="/groups")


async def _preview(visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    (name,) = asked_consumers(visit, {"consumer": given.one("consumer")})
    async with visit.reading(name) as connection:
        found = await read_outbox(connection, visit.sources.consumers[name].tables)
    return ActionPreview(
        count=len(found.refused),
        accounts=frozenset({None}),
        lines=[f"{each.number}: {each.topic}, {each.error}" for each in found.refused[:_LINES]],
        command=typed("payrouter outbox retry", [name]),
    )


async def _run(visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    name = given.one("consumer")
    async with visit.acting(name) as engine, engine.begin() as transaction:
        tables = visit.sources.consumers[name].tables
        number = await queue_again(transaction, tables, visit.who, reason)
    return ActionDone(visit.count("groups.again.done", number), "/groups")
