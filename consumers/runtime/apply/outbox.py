"""Outbox: records to publish, written with the effect and sent by the relay afterwards.

A record that a consumer publishes can therefore neither be lost nor precede its
transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.held import headers_from, headers_text
from consumers.runtime.store.arrays import inserting
from consumers.runtime.store.tables import RuntimeTables
from router.contract.wire import Headers

READ_BYTES = 8 * 1024 * 1024
"""Size of the records that are read at once, besides the first."""


@dataclass(frozen=True)
class Outgoing:
    """A record to publish unchanged, byte for byte."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class RefusedRecord:
    """A record that the broker refuses permanently, as shown to an operator."""

    number: int
    topic: str
    size: int
    error: str
    since: datetime


@dataclass(frozen=True)
class OutboxRow:
    """A record that is not sent yet; `refused` is why the broker does not take it."""

    number: int
    topic: str
    size: int
    since: datetime
    refused: str | None


@dataclass(frozen=True)
class OutboxContents:
    """Number of unsent records, time of the oldest, and the records set aside."""

    waiting: int
    oldest: datetime | None
    refused: Sequence[RefusedRecord]

    def as_json(self) -> dict[str, object]:
        """Return a JSON-compatible dict."""
        return {
            "waiting": self.waiting,
            "oldest": self.oldest and self.oldest.isoformat(),
            "refused": [{**asdict(each), "since": each.since.isoformat()} for each in self.refused],
        }


async def put(
    connection: AsyncConnection, tables: RuntimeTables, outgoing: Sequence[Outgoing]
) -> None:
    """Add records, in order, with a single statement."""
    if not outgoing:
        return
    box = tables.outbox
    columns = [box.c.topic, box.c.key, box.c.value, box.c.headers]
    rows = [(each.topic, each.key, each.value, headers_text(each.headers)) for each in outgoing]
    await connection.execute(inserting(box, columns, rows))


async def lock_relay(connection: AsyncConnection, tables: RuntimeTables) -> bool:
    """Take the lock of the one that publishes until the transaction ends; False if it is taken."""
    name = f"payrouter relay {tables.metadata.schema}"
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))
    return bool(await connection.scalar(select(lock)))


async def read_unsent(
    connection: AsyncConnection,
    tables: RuntimeTables,
    limit: int,
    without: Sequence[str] = (),
    most_bytes: int = READ_BYTES,
) -> Sequence[tuple[int, Outgoing]]:
    """Return the oldest unsent records with their numbers, except topics in `without`.

    At most `limit` of them, and of `most_bytes` besides the first. The caller must hold the
    relay's lock.
    """
    box = tables.outbox
    size = func.coalesce(func.length(box.c.value), 0)
    before = func.sum(size).over(order_by=box.c.id) - size
    columns = (box.c.id, box.c.topic, box.c.key, box.c.value, box.c.headers)
    wanted = select(*columns, before.label("before")).where(box.c.refused.is_(None))
    if without:
        wanted = wanted.where(box.c.topic.not_in(without))
    oldest = wanted.order_by(box.c.id).limit(limit).subquery()
    rows = await connection.execute(
        select(oldest).where(oldest.c.before < most_bytes).order_by(oldest.c.id)
    )
    return [
        (number, Outgoing(topic, key, value, headers_from(headers)))
        for number, topic, key, value, headers, _ in rows
    ]


async def delete_sent(
    connection: AsyncConnection, tables: RuntimeTables, numbers: Sequence[int]
) -> None:
    """Delete records that the broker has acknowledged."""
    box = tables.outbox
    await connection.execute(delete(box).where(box.c.id == func.any(list(numbers))))


async def set_aside(
    connection: AsyncConnection, tables: RuntimeTables, number: int, error: str
) -> None:
    """Set aside a record that the broker refuses permanently, so that the others are sent."""
    box = tables.outbox
    await connection.execute(update(box).where(box.c.id == number).values(refused=error))


async def read_outbox(connection: AsyncConnection, tables: RuntimeTables) -> OutboxContents:
    """Read a summary for operators."""
    box = tables.outbox
    row = await connection.execute(
        select(func.count(), func.min(box.c.created_at)).where(box.c.refused.is_(None))
    )
    waiting, oldest = row.one()
    size = func.coalesce(func.length(box.c.key), 0) + func.coalesce(func.length(box.c.value), 0)
    refused = await connection.execute(
        select(box.c.id, box.c.topic, size, box.c.refused, box.c.created_at)
        .where(box.c.refused.is_not(None))
        .order_by(box.c.id)
    )
    return OutboxContents(waiting, oldest, [RefusedRecord(*row) for row in refused])


async def list_outbox(
    connection: AsyncConnection,
    tables: RuntimeTables,
    *,
    refused: bool,
    after: int | None,
    limit: int,
) -> Sequence[OutboxRow]:
    """Return unsent records with a number above `after`, oldest first; only refused ones if so."""
    box = tables.outbox
    size = func.coalesce(func.length(box.c.key), 0) + func.coalesce(func.length(box.c.value), 0)
    query = select(box.c.id, box.c.topic, size, box.c.created_at, box.c.refused)
    if refused:
        query = query.where(box.c.refused.is_not(None))
    if after is not None:
        query = query.where(box.c.id > after)
    rows = await connection.execute(query.order_by(box.c.id).limit(limit))
    return [OutboxRow(*row) for row in rows]


async def retry_refused(connection: AsyncConnection, tables: RuntimeTables) -> int:
    """Return the records that were set aside to the queue; return how many."""
    box = tables.outbox
    changed = await connection.execute(
        update(box).where(box.c.refused.is_not(None)).values(refused=None)
    )
    return changed.rowcount
