"""Consumer for tests: one row per applied event, so that a second effect shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    MetaData,
    Table,
    Uuid,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.apply.brake import Brake, read_brakes
from consumers.runtime.apply.offsets import Fence, FenceRow, read_fence_rows, read_fences
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.service import Handler, Service
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.wire import OutgoingRecord, encode_event
from tests.parts.contract.events import event

METADATA = MetaData(schema="counting")
EFFECT = Table(
    "effect",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("event_id", Uuid, nullable=False),
)
TABLES = RuntimeTables.of("counting")
CLUSTER = "cluster-of-the-tests"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PAYMENT_0 = Partition("payment", 0)


async def count(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
    """Write one row for each event."""
    await transaction.execute(insert(EFFECT), [{"event_id": each.id} for each in events])
    return [Fate.APPLIED] * len(events)


SERVICE = Service(
    name="counting",
    topics=("payment",),
    handle=count,
    tables=METADATA,
    migrations="tests.parts.runtime.counting_migrations",
)


def service(handle: Handler) -> Service:
    """Return the counting consumer with a different handler."""
    return replace(SERVICE, handle=handle)


def id_of(number: int) -> UUID:
    """Return the id of the event of this number."""
    return uuid5(NAMESPACE_OID, f"event {number}")


def numbered(number: int, **changes: object) -> Event:
    """Return the event with this number."""
    return event(**{"id": id_of(number), "reference": f"A-{number}", **changes})


def written(made: Event, topic: str = "payment") -> OutgoingRecord:
    """Encode an event as the edge does."""
    return encode_event(made, topic, TRACE)


def record(offset: int, made: Event, partition: Partition = PAYMENT_0) -> Decoded:
    """Return the record of an event at an offset, as read from the log."""
    out = written(made, partition.topic)
    return Decoded(Record(partition, offset, 1000 + offset, out.key, out.value, out.headers), made)


def records(first: int, last: int, partition: Partition = PAYMENT_0) -> list[Decoded]:
    """Return the records `first` to `last`, each with the event of its offset."""
    return [record(offset, numbered(offset), partition) for offset in range(first, last + 1)]


def applier(engine: AsyncEngine, handle: Handler = count, brake_after: int = 20) -> Applier:
    """Return an applier for the counting consumer's database."""
    return Applier(stored(engine), SERVICE, handle, brake_after)


def stored(engine: AsyncEngine) -> StoredBooks:
    """Return the stored bookkeeping of the counting consumer."""
    return StoredBooks(engine, SERVICE, CLUSTER)


async def begun(
    engine: AsyncEngine, *partitions: Partition, first: int = 0
) -> Mapping[Partition, Fence]:
    """Return the fences of the partitions; missing ones are created at `first`."""
    wanted = dict.fromkeys(partitions or (PAYMENT_0,), first)
    fences = await applier(engine).fences(wanted)
    return {partition: fences[partition] for partition in wanted}


async def fences_of(engine: AsyncEngine, cluster_id: str = CLUSTER) -> Mapping[Partition, Fence]:
    """Read the fences."""
    async with engine.connect() as connection:
        return await read_fences(connection, TABLES, cluster_id)


async def counts_of(engine: AsyncEngine) -> Sequence[FenceRow]:
    """Read the fences with their counts."""
    async with engine.connect() as connection:
        return await read_fence_rows(connection, TABLES)


async def effects_of(engine: AsyncEngine) -> list[UUID]:
    """Read the ids of the applied events, in the order they were applied."""
    async with engine.connect() as connection:
        return list(await connection.scalars(select(EFFECT.c.event_id).order_by(EFFECT.c.id)))


async def effects_at(url: str) -> list[UUID]:
    """Read the ids of the applied events over a separate connection."""
    engine = create_async_engine(url)
    try:
        return await effects_of(engine)
    finally:
        await engine.dispose()


async def set_fence(engine: AsyncEngine, partition: Partition, **values: object) -> None:
    """Change a fence in a way that no consumer does."""
    fence = TABLES.fence
    async with engine.begin() as connection:
        await connection.execute(
            update(fence)
            .where(fence.c.topic == bindparam("t"), fence.c.partition == bindparam("p"))
            .values(**values),
            {"t": partition.topic, "p": partition.number},
        )


async def held_in(engine: AsyncEngine, state: str | None = None) -> Sequence[Any]:
    """Read all columns of held records, oldest first."""
    held = TABLES.held
    query = select(held).order_by(held.c.id)
    async with engine.connect() as connection:
        rows = await connection.execute(
            query if state is None else query.where(held.c.state == state)
        )
        return rows.all()


async def outbox_of(engine: AsyncEngine) -> Sequence[Any]:
    """Read the records of the outbox."""
    async with engine.connect() as connection:
        return (await connection.execute(select(TABLES.outbox).order_by(TABLES.outbox.c.id))).all()


async def brake_of(engine: AsyncEngine, topic: str = "payment") -> Brake:
    """Read the brake of a topic."""
    async with engine.connect() as connection:
        return (await read_brakes(connection, TABLES)).get(topic, Brake(topic))
