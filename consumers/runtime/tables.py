"""The runtime's own tables, one set in the schema of every consumer."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
)

COUNTS = ("applied", "duplicate", "stale", "parked", "dead_lettered", "gaps")
"""What an offset the fence has passed may have been: each is one of these, counted."""


@dataclass(frozen=True)
class RuntimeTables:
    """Fence and seen events of the consumer whose schema this is."""

    metadata: MetaData
    fence: Table
    seen_event: Table

    @classmethod
    def of(cls, schema: str) -> Self:
        """Name the tables of one schema."""
        metadata = MetaData(schema=schema)
        return cls(metadata, _fence(metadata), _seen_event(metadata))


def _fence(metadata: MetaData) -> Table:
    """One row per partition read: what is applied below `next_offset` is applied for good."""
    return Table(
        "fence",
        metadata,
        Column("cluster_id", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("first_offset", BigInteger, nullable=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("last_offset", BigInteger),
        Column("last_timestamp", BigInteger),
        Column("last_crc", BigInteger),
        *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTS),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        CheckConstraint("next_offset >= first_offset", name="fence_moves_forward"),
        CheckConstraint(
            f"{' + '.join(COUNTS)} = next_offset - first_offset", name="fence_counts_every_offset"
        ),
    )


def _seen_event(metadata: MetaData) -> Table:
    """One row per event taken, so that the same event in a new record is a duplicate."""
    return Table(
        "seen_event",
        metadata,
        Column("event_id", Uuid, primary_key=True),
        Column("fingerprint", Text, nullable=False),
        Column("topic", Text),
        Column("partition", Integer),
        Column("offset", BigInteger),
        Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("seen_event_seen_at", "seen_at"),
    )
