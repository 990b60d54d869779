"""What waits to be published: written with the effect, sent by the relay afterwards.

So that nothing a consumer publishes can be lost, or precede its transaction.
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


@dataclass(frozen=True)
class Outgoing:
    """A record to be published as it stands, byte for byte."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Refused:
    """A record that the broker will never take, as it shows itself to an operator."""

    number: int
    topic: str
    size: int
    error: str
    since: datetime


@dataclass(frozen=True)
class Contents:
    """How much waits and since when, and what was set aside."""

    waiting: int
    oldest: datetime | None
    refused: Sequence[Refused]

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {
            "waiting": self.waiting,
            "oldest": self.oldest and self.oldest.isoformat(),
            "refused": [{**asdict(each), "since": each.since.isoformat()} for each in self.refused],
        }


async def put(
    connection: AsyncConnection, tables: RuntimeTables, outgoing: Sequence[Outgoing]
) -> None:
    """Add records, in order: one statement, however many they are."""
    if not outgoing:
        return
    box = tables.outbox
    columns = [box.c.topic, box.c.key, box.c.value, box.c.headers]
    rows = [(each.topic, each.key, each.value, headers_text(each.headers)) for each in outgoing]
    await connection.execute(inserting(box, columns, rows))


async def waiting(
    connection: AsyncConnection,
    tables: RuntimeTables,
    limit: int,
    without: Sequence[str] = (),
) -> Sequence[tuple[int, Outgoing]]:
    """Return the oldest records with their numbers, but for topics in `without`.

    The caller holds the relay's lock.
    """
    box = tables.outbox
    wanted = select(box).where(box.c.refused.is_(None))
    if without:
        wanted = wanted.where(box.c.topic.not_in(without))
    rows = await connection.execute(wanted.order_by(box.c.id).limit(limit))
    return [
        (row.id, Outgoing(row.topic, row.key, row.value, headers_from(row.headers))) for row in rows
    ]


async def sent(connection: AsyncConnection, tables: RuntimeTables, numbers: Sequence[int]) -> None:
    """Remove what the broker has acknowledged."""
    box = tables.outbox
    await connection.execute(delete(box).where(box.c.id == func.any(list(numbers))))


async def refuse(
    connection: AsyncConnection, tables: RuntimeTables, number: int, error: str
) -> None:
    """Set aside what the broker refuses for good, so that the rest goes on."""
    box = tables.outbox
    await connection.execute(update(box).where(box.c.id == number).values(refused=error))


async def contents(connection: AsyncConnection, tables: RuntimeTables) -> Contents:
    """Read what an operator wants to know."""
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
    return Contents(waiting, oldest, [Refused(*row) for row in refused])


async def take_back(connection: AsyncConnection, tables: RuntimeTables) -> int:
    """Have what was set aside sent again; return how many records."""
    box = tables.outbox
    changed = await connection.execute(
        update(box).where(box.c.refused.is_not(None)).values(refused=None)
    )
    return changed.rowcount
