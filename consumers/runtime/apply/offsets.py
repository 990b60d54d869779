"""The offset fence and the seen-event check, in the caller's transaction.

There are two kinds of duplicates. The same record again (a crash before the
commit, a rebalance, a zombie) is stopped by the fence: one row per cluster,
topic and partition with the next offset, moved together with the effect. The
same event in a new record (the gateway resent it, the edge retried, a topic was
replayed) is stopped by its id, claimed together with the effect.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.records import NO_TIMESTAMP, Decoded, Partition, Record
from consumers.runtime.store.arrays import inserting
from consumers.runtime.store.tables import RuntimeTables
from router.contract.identity import contradicts

NO_IDS: Mapping[str, UUID] = MappingProxyType({})


class FenceMoved(Exception):  # noqa: N818 - reads as what happened
    """The stored fence has changed: read it again, seek, and continue there."""

    def __init__(self, partition: Partition) -> None:
        """Name the partition."""
        super().__init__(f"the fence of {partition} was moved by another process")
        self.partition = partition


@dataclass(frozen=True)
class Claims:
    """Result of claiming events, keyed by index: new ones, and fingerprints they contradict.

    An event in neither is a duplicate.
    """

    new: frozenset[int]
    conflicts: Mapping[int, str]


@dataclass(frozen=True)
class LastApplied:
    """Identity of the last applied record, to recognize it when it is read again."""

    offset: int
    timestamp: int
    crc: int


@dataclass(frozen=True)
class Fence:
    """Progress in one partition: every record below `next_offset` is processed."""

    partition: Partition
    first_offset: int
    next_offset: int
    last: LastApplied | None = None
    touched: datetime | None = field(default=None, compare=False)
    """When the row was last changed, if just read from the store; None after moving it here."""
    topic_id: UUID | None = field(default=None, compare=False)
    """The broker's id of the topic; None if no broker has reported one yet."""


def fence_was_set(before: Fence | None, now: Fence | None) -> bool:
    """Return whether an idle fence was reset since `before` was read, even to the same offset."""
    if before is None or now is None or before != now:
        return before is not now
    return before.touched is not None and before.touched != now.touched


def is_other_topic(known: Fence, found: Fence) -> bool:
    """Return whether two fences of a partition have different topic ids, both known."""
    return None not in {known.topic_id, found.topic_id} and known.topic_id != found.topic_id


@dataclass(frozen=True)
class Counts:
    """Number of offsets by outcome, for one partition of a batch."""

    applied: int = 0
    duplicate: int = 0
    stale: int = 0
    parked: int = 0
    dead_lettered: int = 0
    gaps: int = 0


async def read_fences(
    connection: AsyncConnection, tables: RuntimeTables, cluster_id: str
) -> Mapping[Partition, Fence]:
    """Read every fence of a cluster."""
    fence = tables.fence
    rows = await connection.execute(select(fence).where(fence.c.cluster_id == cluster_id))
    return {found.partition: found for found in map(_fence, rows)}


async def read_fences_elsewhere(
    connection: AsyncConnection, tables: RuntimeTables, cluster_id: str
) -> Mapping[Partition, int | None]:
    """Read the partitions that have a fence of another cluster.

    Returns the latest timestamp of a record that was applied there, None if it is unknown.
    """
    fence = tables.fence
    place = (fence.c.topic, fence.c.partition)
    latest = select(*place, func.max(fence.c.last_timestamp)).group_by(*place)
    rows = await connection.execute(latest.where(fence.c.cluster_id != cluster_id))
    return {Partition(topic, number): timestamp for topic, number, timestamp in rows}


@dataclass(frozen=True)
class FenceRow:
    """A fence as `payrouter offsets show` prints it."""

    cluster_id: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    applied: int
    duplicate: int
    stale: int
    parked: int
    dead_lettered: int
    gaps: int
    updated_at: datetime

    def as_json(self) -> dict[str, object]:
        """Return a JSON-compatible dict."""
        return {**asdict(self), "updated_at": self.updated_at.isoformat()}


async def read_fence_rows(connection: AsyncConnection, tables: RuntimeTables) -> Sequence[FenceRow]:
    """Read the fences of all clusters, for an operator."""
    fence = tables.fence
    names = [item.name for item in fields(FenceRow)]
    rows = await connection.execute(
        select(*(fence.c[name] for name in names)).order_by(
            fence.c.cluster_id, fence.c.topic, fence.c.partition
        )
    )
    return [FenceRow(**row) for row in rows.mappings()]


async def begin_fences(
    connection: AsyncConnection,
    tables: RuntimeTables,
    cluster_id: str,
    begin: Mapping[Partition, int],
    topic_ids: Mapping[str, UUID] = NO_IDS,
) -> None:
    """Store a fence at the given offset, with its topic's id, for each partition without one.

    Existing fences only get the id of their topic if they have none.
    """
    rows = [
        {
            "cluster_id": cluster_id,
            "topic": partition.topic,
            "partition": partition.number,
            "first_offset": offset,
            "next_offset": offset,
            "topic_id": topic_ids.get(partition.topic),
        }
        for partition, offset in sorted(begin.items())
    ]
    fence = tables.fence
    given = insert(fence)
    statement = given.on_conflict_do_update(
        index_elements=["cluster_id", "topic", "partition"],
        set_={"topic_id": given.excluded.topic_id},
        where=and_(fence.c.topic_id.is_(None), given.excluded.topic_id.is_not(None)),
    )
    await connection.execute(statement, rows)


async def lock_fences(
    connection: AsyncConnection,
    tables: RuntimeTables,
    cluster_id: str,
    expected: Mapping[Partition, Fence],
) -> Mapping[Partition, Fence]:
    """Lock the fences in (topic, partition) order.

    `expected` has the fences as last seen by this process. Raises FenceMoved if a
    row is missing, is below the expected offset, or belongs to a recreated topic,
    whose offsets count other records. A fence above the expected offset was moved
    by another process; the caller drops the records below it.
    """
    fence = tables.fence
    rows = await connection.execute(
        select(fence)
        .where(fence.c.cluster_id == cluster_id, _is_one_of(tables, expected))
        .order_by(fence.c.topic, fence.c.partition)
        .with_for_update()
    )
    locked = {found.partition: found for found in map(_fence, rows)}
    for partition, known in expected.items():
        found = locked.get(partition)
        if found is None or found.next_offset < known.next_offset or is_other_topic(known, found):
            raise FenceMoved(partition)
    return locked


async def move_fence(
    connection: AsyncConnection,
    tables: RuntimeTables,
    cluster_id: str,
    fence: Fence,
    last: Record,
    counts: Counts,
) -> Fence:
    """Move a fence past `last` by compare-and-set, or raise FenceMoved.

    A record without a timestamp could not be fetched, so it cannot be compared later.
    """
    moved = moved_past(fence, last)
    await _move(connection, tables, cluster_id, fence, moved, counts)
    return moved


def moved_past(fence: Fence, last: Record) -> Fence:
    """Return a fence that was moved past `last`."""
    known = None
    if last.timestamp != NO_TIMESTAMP:
        known = LastApplied(last.offset, last.timestamp, last.crc)
    return replace(fence, next_offset=last.offset + 1, last=known, touched=None)


async def pass_gap(
    connection: AsyncConnection,
    tables: RuntimeTables,
    cluster_id: str,
    fence: Fence,
    next_offset: int,
) -> Fence:
    """Move a fence over offsets without records, counted as gaps, or raise FenceMoved.

    The last applied record stays the same.
    """
    moved = replace(fence, next_offset=next_offset, touched=None)
    counts = Counts(gaps=next_offset - fence.next_offset)
    await _move(connection, tables, cluster_id, fence, moved, counts)
    return moved


async def _move(
    connection: AsyncConnection,
    tables: RuntimeTables,
    cluster_id: str,
    fence: Fence,
    to: Fence,
    counts: Counts,
) -> None:
    row, known = tables.fence, to.last
    moved = await connection.execute(
        update(row)
        .where(
            row.c.cluster_id == cluster_id,
            row.c.topic == fence.partition.topic,
            row.c.partition == fence.partition.number,
            row.c.next_offset == fence.next_offset,
        )
        .values(
            next_offset=to.next_offset,
            last_offset=known and known.offset,
            last_timestamp=known and known.timestamp,
            last_crc=known and known.crc,
            applied=row.c.applied + counts.applied,
            duplicate=row.c.duplicate + counts.duplicate,
            stale=row.c.stale + counts.stale,
            parked=row.c.parked + counts.parked,
            dead_lettered=row.c.dead_lettered + counts.dead_lettered,
            gaps=row.c.gaps + counts.gaps,
            updated_at=func.now(),
        )
    )
    if moved.rowcount != 1:
        raise FenceMoved(fence.partition)


async def claim_events(
    connection: AsyncConnection, tables: RuntimeTables, arrived: Sequence[Decoded]
) -> Claims:
    """Claim the event ids, sorted; return which of `arrived` are new and which conflict.

    Of duplicates within the batch the first one counts.
    """
    first = first_of_each(arrived)
    if not first:
        return Claims(frozenset(), {})
    ordered = sorted(first.items())
    prints = [arrived[index].event.fingerprint for _, index in ordered]
    rows = [
        _seen_row(arrived[index], text) for (_, index), text in zip(ordered, prints, strict=True)
    ]
    seen = tables.seen_event
    adding = inserting(seen, [seen.c[name] for name in _SEEN], rows)
    claimed = set(
        await connection.scalars(adding.on_conflict_do_nothing().returning(seen.c.event_id))
    )
    new = frozenset(index for event_id, index in first.items() if event_id in claimed)
    if len(new) == len(arrived):
        return Claims(new, {})
    known = {
        event_id: text
        for (event_id, _), text in zip(ordered, prints, strict=True)
        if event_id in claimed
    }
    known |= await _known(connection, tables, first.keys() - claimed)
    return Claims(new, contradicting(arrived, new, known))


def first_of_each(arrived: Sequence[Decoded]) -> dict[UUID, int]:
    """Return the index of the first record of each event id."""
    first: dict[UUID, int] = {}
    for index, decoded in enumerate(arrived):
        first.setdefault(decoded.event.id, index)
    return first


async def unclaim_events(
    connection: AsyncConnection, tables: RuntimeTables, arrived: Iterable[Decoded]
) -> None:
    """Delete claims of this transaction."""
    seen = tables.seen_event
    ids = [decoded.event.id for decoded in arrived]
    await connection.execute(delete(seen).where(seen.c.event_id == func.any(ids)))


async def _known(
    connection: AsyncConnection, tables: RuntimeTables, event_ids: Iterable[UUID]
) -> dict[UUID, str]:
    wanted = list(event_ids)
    if not wanted:
        return {}
    seen = tables.seen_event
    rows = await connection.execute(
        select(seen.c.event_id, seen.c.fingerprint).where(seen.c.event_id == func.any(wanted))
    )
    return {row.event_id: row.fingerprint for row in rows}


def contradicting(
    arrived: Sequence[Decoded], new: frozenset[int], known: Mapping[UUID, str]
) -> dict[int, str]:
    """Return the fingerprints that records contradict, by index, of those that are not new."""
    found = {}
    for index, decoded in enumerate(arrived):
        # An id deleted between the claim and this read has nothing to contradict.
        original = known.get(decoded.event.id)
        if index in new or original is None:
            continue
        if contradicts(original, decoded.event.fingerprint):
            found[index] = original
    return found


_SEEN = ("event_id", "fingerprint", "topic", "partition", "offset")


def _seen_row(decoded: Decoded, fingerprint: str) -> tuple[object, ...]:
    record = decoded.record
    return decoded.event.id, fingerprint, *record.partition, record.offset


def _is_one_of(tables: RuntimeTables, partitions: Iterable[Partition]) -> ColumnElement[bool]:
    fence = tables.fence
    return or_(
        *(
            and_(fence.c.topic == partition.topic, fence.c.partition == partition.number)
            for partition in partitions
        )
    )


def _fence(row: object) -> Fence:
    values = row._mapping  # type: ignore[attr-defined] # noqa: SLF001 - public in SQLAlchemy
    last = None
    if values["last_offset"] is not None:
        last = LastApplied(values["last_offset"], values["last_timestamp"], values["last_crc"])
    partition = Partition(values["topic"], values["partition"])
    return Fence(
        partition,
        values["first_offset"],
        values["next_offset"],
        last,
        values["updated_at"],
        values["topic_id"],
    )
