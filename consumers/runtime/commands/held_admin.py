"""What an operator asks of held records: list, look at, have tried again."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.held import DONE, HeldReason, header_name_text
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables


@dataclass(frozen=True)
class Filter:
    """Which held records are meant; None leaves a side open."""

    numbers: Sequence[int] = ()
    topic: str | None = None
    reason: str | None = None
    event_id: UUID | None = None
    since: datetime | None = None
    limit: int = 1000

    def __str__(self) -> str:
        """Write it as the operation's record keeps it."""
        given = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(given, default=str)


@dataclass(frozen=True)
class HeldRow:
    """A held record as the commands show it, without its content."""

    id: int
    state: str
    topic: str
    partition: int
    offset: int
    event_id: UUID | None
    reason: str
    error: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    due_at: datetime

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {
            name: str(value) if isinstance(value, UUID | datetime) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Content:
    """What is in a held record, bytes as base64."""

    key: str | None
    value: str | None
    headers: str

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        headers = [[header_name_text(name), value] for name, value in json.loads(self.headers)]
        return {"key": self.key, "value": self.value, "headers": headers}


async def list_held(
    connection: AsyncConnection, tables: RuntimeTables, state: str, wanted: Filter
) -> Sequence[HeldRow]:
    """Return held records of a state, oldest first."""
    held = tables.held
    columns = [held.c[field.name] for field in fields(HeldRow)]
    rows = await connection.execute(
        select(*columns)
        .where(held.c.state == state, _matches(tables, wanted))
        .order_by(held.c.id)
        .limit(wanted.limit)
    )
    return [HeldRow(*row) for row in rows]


async def content(
    connection: AsyncConnection, tables: RuntimeTables, number: int
) -> Content | None:
    """Return what is in a held record, None where there is none of this number."""
    held = tables.held
    rows = await connection.execute(
        select(held.c.key, held.c.value, held.c.headers).where(held.c.id == number)
    )
    row = rows.one_or_none()
    return None if row is None else Content(_text(row.key), _text(row.value), row.headers)


async def replay(connection: AsyncConnection, tables: RuntimeTables, number: int) -> None:
    """Have a dead record tried again by the running consumer.

    It goes back among the parked: under the event id and in the order of its
    lane, so that nothing is applied twice.
    """
    held = tables.held
    await connection.execute(
        update(held)
        .where(held.c.id == number, held.c.state == Fate.DEAD, _is_whole(tables))
        .values(
            state=Fate.PARKED,
            reason=HeldReason.REPLAYED.value,
            attempts=0,
            due_at=func.now(),
            ended_at=None,
            outcome=None,
        )
    )


@dataclass(frozen=True)
class Progress:
    """What became of replayed records: each word, and how often."""

    words: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """How many were not tried yet."""
        return self.words.get(HeldReason.REPLAYED.value, 0)


async def progress(
    connection: AsyncConnection, tables: RuntimeTables, numbers: Sequence[int]
) -> Progress:
    """Tell what became of records by now: an outcome, `dead`, `parked`, or `replayed` still."""
    held = tables.held
    waiting = and_(held.c.state == Fate.PARKED, held.c.reason == HeldReason.REPLAYED.value)
    word = case(
        (held.c.state == DONE, held.c.outcome),
        (waiting, literal(HeldReason.REPLAYED.value)),
        else_=held.c.state,
    )
    rows = await connection.execute(
        select(word, func.count()).where(held.c.id == func.any(list(numbers))).group_by(word)
    )
    return Progress({str(name): int(number) for name, number in rows})


async def retry_now(
    connection: AsyncConnection, tables: RuntimeTables, wanted: Filter
) -> Sequence[int]:
    """Have parked records tried at once; return their numbers."""
    held = tables.held
    chosen = select(held.c.id).where(held.c.state == Fate.PARKED, _matches(tables, wanted))
    changed = await connection.scalars(
        update(held)
        .where(held.c.id.in_(chosen.order_by(held.c.id).limit(wanted.limit)))
        .values(due_at=func.now())
        .returning(held.c.id)
    )
    return changed.all()


async def record_operation(
    connection: AsyncConnection, tables: RuntimeTables, who: str, what: str, detail: str
) -> None:
    """Write down who did what, for good."""
    await connection.execute(tables.operation.insert().values(who=who, what=what, detail=detail))


def about(numbers: Sequence[int], wanted: Filter) -> str:
    """Write down which records an operation is about, and how they were chosen."""
    return f"{len(numbers)} records: {spans(numbers) or 'none'}; filter {wanted}"


def spans(numbers: Iterable[int]) -> str:
    """Write numbers in short: `3-7, 9`."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in found)


@dataclass(frozen=True)
class Operation:
    """Who did what, and when."""

    at: datetime
    who: str
    what: str
    detail: str

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {**asdict(self), "at": self.at.isoformat()}


async def list_operations(
    connection: AsyncConnection, tables: RuntimeTables, limit: int = 1000
) -> Sequence[Operation]:
    """Return the last operations, oldest first."""
    done = tables.operation
    columns = [done.c[field.name] for field in fields(Operation)]
    rows = await connection.execute(select(*columns).order_by(done.c.id.desc()).limit(limit))
    return [Operation(*row) for row in reversed(rows.all())]


def _is_whole(tables: RuntimeTables) -> ColumnElement[bool]:
    """Tell the records of which more is known than their place."""
    return tables.held.c.reason != HeldReason.UNFETCHABLE.value


def _matches(tables: RuntimeTables, wanted: Filter) -> ColumnElement[bool]:
    held = tables.held
    condition: ColumnElement[bool] = true()
    if wanted.numbers:
        condition &= held.c.id == func.any(list(wanted.numbers))
    if wanted.topic is not None:
        condition &= held.c.topic == wanted.topic
    if wanted.reason is not None:
        condition &= held.c.reason == wanted.reason
    if wanted.event_id is not None:
        condition &= held.c.event_id == wanted.event_id
    if wanted.since is not None:
        condition &= held.c.first_failed_at >= wanted.since
    return condition


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
