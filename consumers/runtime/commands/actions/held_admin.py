"""Queries and changes of held records for an operator: list, show, retry, replay."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.held import HeldReason, header_name_text, headers_from
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import DONE, RuntimeTables
from router.terminal.output import text_of

REPLAY_RATE = 50.0
"""Replayed records per second."""


@dataclass(frozen=True)
class Filter:
    """Conditions on held records; None matches all.

    `accounts` are those that the reader may see: a record of an unknown one does not match. `after`
    is the number of the last record of the page before.
    """

    numbers: Sequence[int] = ()
    topic: str | None = None
    reason: str | None = None
    event_id: UUID | None = None
    since: datetime | None = None
    limit: int = 1000
    accounts: frozenset[str] | None = None
    after: int | None = None

    def __str__(self) -> str:
        """Return the conditions given, as the record of an operation keeps them."""
        accounts = None if self.accounts is None else sorted(self.accounts)
        given = {name: value for name, value in asdict(self).items() if value}
        if accounts is not None:
            given["accounts"] = accounts
        return json.dumps(given, default=str)


@dataclass(frozen=True)
class HeldRow:
    """Held record without its content."""

    id: int
    state: str
    topic: str
    partition: int
    offset: int
    event_id: UUID | None
    account: str | None
    reason: str
    error: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    due_at: datetime

    @property
    def is_whole(self) -> bool:
        """Whether its content is known, without which it cannot be tried again."""
        return self.reason != HeldReason.UNFETCHABLE.value

    def as_json(self) -> dict[str, object]:
        """Return the fields, as JSON values."""
        return {
            name: str(value) if isinstance(value, UUID | datetime) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class HeldContent:
    """Content of a held record, the bytes that were on the broker."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    def as_json(self) -> dict[str, object]:
        """Return every part as base64, and as text if it is text."""
        named = [(header_name_text(name), value) for name, value in self.headers]
        return {
            "key": _base64(self.key),
            "value": _base64(self.value),
            "headers": [[name, _base64(value)] for name, value in named],
            "key_text": _text(self.key),
            "value_text": _text(self.value),
            "headers_text": [[name, _text(value)] for name, value in named],
        }

    def readable(self) -> dict[str, object]:
        """Return each part as text if it is text, else as base64; the name shows which."""
        parts = [("key", self.key), ("value", self.value)]
        parts += [(f"header {header_name_text(name)}", value) for name, value in self.headers]
        return dict(_readable_part(name, value) for name, value in parts)


def _readable_part(name: str, value: bytes | None) -> tuple[str, object]:
    if value is None:
        return name, None
    text = _text(value)
    return (f"{name} (base64)", _base64(value)) if text is None else (f"{name} (text)", text)


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
) -> HeldContent | None:
    """Return the content of a held record, or None if there is no record with this number."""
    held = tables.held
    rows = await connection.execute(
        select(held.c.key, held.c.value, held.c.headers).where(held.c.id == number)
    )
    row = rows.one_or_none()
    return None if row is None else HeldContent(row.key, row.value, headers_from(row.headers))


async def replay(connection: AsyncConnection, tables: RuntimeTables, number: int) -> None:
    """Make the running consumer try a dead record again.

    It becomes a parked record, with its event id and its place in the order of its
    lane, so that nothing is applied twice.
    """
    await replay_in_turn(connection, tables, [number], 1)


async def replay_in_turn(
    connection: AsyncConnection, tables: RuntimeTables, numbers: Sequence[int], rate: float
) -> Sequence[int]:
    """Do the same for several records, of which `rate` are due per second; return their numbers.

    A record that is not dead any more, or whose content is unknown, is left out.
    """
    held = tables.held
    place = func.array_position(cast(list(numbers), ARRAY(BigInteger)), held.c.id) - 1
    changed = await connection.scalars(
        update(held)
        .where(held.c.id == func.any(list(numbers)), held.c.state == Fate.DEAD, _is_whole(tables))
        .values(
            state=Fate.PARKED,
            reason=HeldReason.REPLAYED.value,
            attempts=0,
            due_at=func.now() + place / rate * text("interval '1 second'"),
            ended_at=None,
            outcome=None,
        )
        .returning(held.c.id)
    )
    return sorted(changed)


@dataclass(frozen=True)
class ReplayProgress:
    """Number of replayed records per outcome."""

    outcomes: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """Number of records that were not tried yet."""
        return self.outcomes.get(HeldReason.REPLAYED.value, 0)


async def progress(
    connection: AsyncConnection, tables: RuntimeTables, numbers: Sequence[int]
) -> ReplayProgress:
    """Count records by their state now: an outcome, `dead`, `parked`, or still `replayed`."""
    held = tables.held
    waiting = and_(held.c.state == Fate.PARKED, held.c.reason == HeldReason.REPLAYED.value)
    outcome = case(
        (held.c.state == DONE, held.c.outcome),
        (waiting, literal(HeldReason.REPLAYED.value)),
        else_=held.c.state,
    )
    rows = await connection.execute(
        select(outcome, func.count()).where(held.c.id == func.any(list(numbers))).group_by(outcome)
    )
    return ReplayProgress({str(name): int(number) for name, number in rows})


async def retry_now(
    connection: AsyncConnection, tables: RuntimeTables, wanted: Filter
) -> Sequence[int]:
    """Make parked records due now; returns their numbers."""
    held = tables.held
    chosen = select(held.c.id).where(held.c.state == Fate.PARKED, _matches(tables, wanted))
    changed = await connection.scalars(
        update(held)
        .where(held.c.id.in_(chosen.order_by(held.c.id).limit(wanted.limit)))
        .values(due_at=func.now())
        .returning(held.c.id)
    )
    return changed.all()


async def make_due(
    transaction: AsyncConnection, tables: RuntimeTables, wanted: Filter, who: str, why: str = ""
) -> Sequence[int]:
    """Make the parked records that match due now and record it; return their numbers."""
    numbers = await retry_now(transaction, tables, wanted)
    detail = with_reason(about(numbers, wanted), why)
    await record_operation(transaction, tables, who, "parked retry", detail)
    return numbers


async def replay_now(
    transaction: AsyncConnection, tables: RuntimeTables, wanted: Filter, who: str, why: str
) -> Sequence[int]:
    """Make the consumer try the dead records that match again and record it; return their numbers.

    It does not wait for results: REPLAY_RATE of them are due per second.
    """
    rows = await list_held(transaction, tables, Fate.DEAD, wanted)
    numbers = [each.id for each in rows if each.is_whole]
    done = await replay_in_turn(transaction, tables, numbers, REPLAY_RATE)
    detail = with_reason(about(done, wanted), why)
    await record_operation(transaction, tables, who, "dlq replay", detail)
    return done


async def record_operation(
    connection: AsyncConnection, tables: RuntimeTables, who: str, what: str, detail: str
) -> None:
    """Record who did what; such records are never deleted."""
    await connection.execute(tables.operation.insert().values(who=who, what=what, detail=detail))


def about(numbers: Sequence[int], wanted: Filter) -> str:
    """Return the records that an operation changes and how they were chosen, as its detail."""
    return f"{len(numbers)} records: {spans(numbers) or 'none'}; filter {wanted}"


def with_reason(detail: str, why: str) -> str:
    """Return the detail of an operation with the reason that the operator gave, if any."""
    return f"{detail}: {why}" if why else detail


def spans(numbers: Iterable[int]) -> str:
    """Return numbers as ranges: `3-7, 9`."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in found)


@dataclass(frozen=True)
class Operation:
    """Record of an operation: who did what, and when."""

    at: datetime
    who: str
    what: str
    detail: str

    def as_json(self) -> dict[str, object]:
        """Return the fields, as JSON values."""
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
    """Match the records whose content is known, not only their offset."""
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
    if wanted.accounts is not None:
        condition &= held.c.account == func.any(sorted(wanted.accounts))
    if wanted.after is not None:
        condition &= held.c.id > wanted.after
    return condition


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _text(value: bytes | None) -> str | None:
    return None if value is None else text_of(value)
