"""The list of operations: which operator did what and when, of every consumer, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, func, literal, select, tuple_

from consumers.console.listing.cursors import aware_moment, cursor_of, read_cursor, row_number
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.groups.held_rows import asked_consumers, consumer_choices
from consumers.console.web.problems import NotPermitted
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.store.tables import RuntimeTables
from router.terminal.typed import typed


@dataclass(frozen=True)
class OperationRow:
    """An operation of an operator on a consumer."""

    at: datetime
    consumer: str
    number: int
    who: str
    what: str
    detail: str


_Key = tuple[datetime, str, int]


def make_operation_listing() -> Listing[OperationRow]:
    """Return the list; an operation has no merchant, so it is for viewers of every one."""
    return Listing(
        name="operations",
        title="groups.operations.title",
        columns=(
            ListColumn("at", "groups.column.at", lambda _, row: row.at),
            ListColumn("who", "groups.column.who", lambda _, row: row.who),
            ListColumn("what", "groups.column.what", lambda _, row: row.what),
            ListColumn("consumer", "groups.column.consumer", lambda _, row: row.consumer),
            ListColumn("detail", "groups.column.detail", lambda _, row: row.detail),
        ),
        read=_read,
        command=_command,
        filters=(
            ListFilter("consumer", "groups.column.consumer", "choice", consumer_choices),
            ListFilter("who", "groups.column.who"),
        ),
    )


async def _read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[OperationRow]:
    if visit.viewer.accounts is not None:
        raise NotPermitted
    after = None if question.after is None else _key(question.after)
    found: list[OperationRow] = []
    for name in asked_consumers(visit, question.filters):
        found += await _of(visit, name, question, after)
    found.sort(key=lambda row: (row.at, row.consumer, row.number), reverse=True)
    shown = found[: question.limit]
    last = shown[-1] if len(found) > question.limit else None
    cursor = cursor_of(last.at.isoformat(), last.consumer, last.number) if last else None
    return ListedRows(shown, cursor)


async def _of(
    visit: ConsoleVisit, name: str, question: ListQuestion, after: _Key | None
) -> list[OperationRow]:
    done = RuntimeTables.of(visit.sources.consumers[name].service.schema).operation
    query = select(done.c.at, literal(name), done.c.id, done.c.who, done.c.what, done.c.detail)
    if "who" in question.filters:
        query = query.where(func.strpos(done.c.who, question.filters["who"]) > 0)
    if after is not None:
        key = tuple_(done.c.at, literal(name, Text), done.c.id)
        query = query.where(key < tuple_(*after))
    newest = query.order_by(done.c.at.desc(), done.c.id.desc()).limit(question.limit + 1)
    async with visit.reading(name) as connection:
        return [OperationRow(*row) for row in await connection.execute(newest)]


def _key(cursor: str) -> _Key:
    at, name, number = read_cursor(cursor, (aware_moment, str, row_number))
    return at, name, number


def _command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    return typed("payrouter dlq history", [filters.get("consumer", "NAME")])
