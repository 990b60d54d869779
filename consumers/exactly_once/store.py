"""Statements on the guard's tables, each in the caller's transaction.

The fence stops the same record again; the event id stops the same event in a new record. Both have
the meaning of the runtime's tables, for one more column, the group: several groups of a service
share the tables.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.exactly_once.errors import FenceMovedElsewhere
from consumers.exactly_once.kinds import Identified
from consumers.exactly_once.tables import GuardTables
from consumers.runtime.records import Partition, Record

_CREATING = 0x7061_7972_6F75_7465
"""Key of the advisory lock under which the tables are created."""


@dataclass(frozen=True)
class FenceKey:
    """Whose fence it is, and of which log."""

    group_id: str
    cluster_id: str
    partition: Partition


@dataclass(frozen=True)
class LastPassed:
    """Identity of the last passed record, to recognize it when it is read again."""

    offset: int
    timestamp: int
    crc: int


@dataclass(frozen=True)
class GroupFence:
    """Progress of a group in one partition: every record below `next_offset` is passed."""

    key: FenceKey
    next_offset: int
    last: LastPassed | None = None
    topic_id: UUID | None = None
    """The broker's id of the topic; None if no broker has reported one yet."""


@dataclass(frozen=True)
class Store:
    """The guard's tables."""

    tables: GuardTables

    async def create(self, connection: AsyncConnection) -> None:
        """Create the tables that do not exist yet; several processes may do it at once."""
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATING})
        own = [self.tables.fence, self.tables.event]
        await connection.run_sync(self.tables.fence.metadata.create_all, tables=own)

    async def read(
        self, connection: AsyncConnection, key: FenceKey, *, lock: bool = False
    ) -> GroupFence | None:
        """Return a fence, or None; with `lock`, no other transaction moves it before this ends."""
        fence = self.tables.fence
        query = select(fence).where(self._is(key))
        row = (await connection.execute(query.with_for_update() if lock else query)).mappings()
        found = row.one_or_none()
        return None if found is None else _fence(key, found)

    async def is_of_another_cluster(self, connection: AsyncConnection, key: FenceKey) -> bool:
        """Return whether a partition without a fence belongs to a log of another cluster.

        That is, the group has a fence for it there; or for its topic, and none for that here.
        """
        fence, (topic, number) = self.tables.fence, key.partition
        of_topic = and_(fence.c.group_id == key.group_id, fence.c.topic == topic)
        elsewhere = and_(of_topic, fence.c.cluster_id != key.cluster_id)
        here = and_(of_topic, fence.c.cluster_id == key.cluster_id)
        query = select(
            or_(
                exists().where(elsewhere, fence.c.partition == number),
                and_(exists().where(elsewhere), not_(exists().where(here))),
            )
        )
        return bool(await connection.scalar(query))

    async def begin(
        self, connection: AsyncConnection, key: FenceKey, offset: int, topic_id: UUID | None
    ) -> None:
        """Store a fence at an offset; an existing one only gets the topic's id if it has none."""
        given = insert(self.tables.fence).values(
            **_columns(key), first_offset=offset, next_offset=offset, topic_id=topic_id
        )
        fence = self.tables.fence
        await connection.execute(
            given.on_conflict_do_update(
                index_elements=list(fence.primary_key),
                set_={"topic_id": given.excluded.topic_id},
                where=and_(fence.c.topic_id.is_(None), given.excluded.topic_id.is_not(None)),
            )
        )

    async def move(
        self, connection: AsyncConnection, fence: GroupFence, record: Record, outcome: str
    ) -> GroupFence:
        """Move a locked fence past a record, by compare-and-set; raises FenceMovedElsewhere."""
        row, last = self.tables.fence, LastPassed(record.offset, record.timestamp, record.crc)
        moved = await connection.execute(
            update(row)
            .where(self._is(fence.key), row.c.next_offset == fence.next_offset)
            .values(
                {
                    "next_offset": record.offset + 1,
                    "last_offset": last.offset,
                    "last_timestamp": last.timestamp,
                    "last_crc": last.crc,
                    "gaps": row.c.gaps + (record.offset - fence.next_offset),
                    outcome: row.c[outcome] + 1,
                    "updated_at": func.now(),
                }
            )
        )
        if moved.rowcount != 1:
            raise FenceMovedElsewhere
        return replace(fence, next_offset=record.offset + 1, last=last)

    async def claim(
        self, connection: AsyncConnection, group_id: str, message: Identified, record: Record
    ) -> str | None:
        """Claim an event's id; return None if it is new, or else the fingerprint known for it.

        Waits for another transaction that claims the same id.
        """
        event = self.tables.event
        claimed = await connection.execute(
            insert(event)
            .values(
                group_id=group_id,
                event_id=message.id,
                fingerprint=message.fingerprint,
                topic=record.partition.topic,
                partition=record.partition.number,
                offset=record.offset,
            )
            .on_conflict_do_nothing()
        )
        if claimed.rowcount == 1:
            return None
        known = select(event.c.fingerprint).where(
            event.c.group_id == group_id, event.c.event_id == message.id
        )
        # A row deleted in between has nothing to contradict.
        return await connection.scalar(known) or message.fingerprint

    async def forget(self, connection: AsyncConnection, group_id: str, before: datetime) -> int:
        """Delete the ids of events applied before a moment; return how many."""
        event = self.tables.event
        old = delete(event).where(event.c.group_id == group_id, event.c.seen_at < before)
        return (await connection.execute(old)).rowcount

    def _is(self, key: FenceKey) -> ColumnElement[bool]:
        fence = self.tables.fence
        return and_(*(fence.c[name] == value for name, value in _columns(key).items()))


def _columns(key: FenceKey) -> dict[str, Any]:
    topic, partition = key.partition
    return {
        "group_id": key.group_id,
        "cluster_id": key.cluster_id,
        "topic": topic,
        "partition": partition,
    }


def _fence(key: FenceKey, row: Any) -> GroupFence:  # noqa: ANN401 - a row of SQLAlchemy
    last = None
    if row["last_offset"] is not None:
        last = LastPassed(row["last_offset"], row["last_timestamp"], row["last_crc"])
    return GroupFence(key, row["next_offset"], last, row["topic_id"])
