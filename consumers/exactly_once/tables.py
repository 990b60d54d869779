"""The two tables of the guard, in the service's own metadata."""

from dataclasses import dataclass

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

FENCE = "payrouter_fence"
EVENT = "payrouter_event"

COUNTS = ("applied", "duplicate", "set_aside", "gaps")
"""Outcomes of the offsets that a fence has passed; each offset is counted as one of them."""


@dataclass(frozen=True)
class GuardTables:
    """The tables of the guard."""

    fence: Table
    event: Table


def exactly_once_tables(metadata: MetaData) -> GuardTables:
    """Add the guard's tables to `metadata`; Alembic then finds them with the service's own.

    A second call with the same metadata returns the same tables.
    """
    known = {table.name: table for table in metadata.tables.values()}
    if FENCE in known:
        return GuardTables(known[FENCE], known[EVENT])
    return GuardTables(_fence(metadata), _event(metadata))


def _fence(metadata: MetaData) -> Table:
    """One row per group and partition: every record below `next_offset` is passed for good."""
    return Table(
        FENCE,
        metadata,
        Column("group_id", Text, primary_key=True),
        Column("cluster_id", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("topic_id", Uuid),
        Column("first_offset", BigInteger, nullable=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("last_offset", BigInteger),
        Column("last_timestamp", BigInteger),
        Column("last_crc", BigInteger),
        *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTS),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        CheckConstraint("next_offset >= first_offset", name="payrouter_fence_moves_forward"),
        CheckConstraint(
            f"{' + '.join(COUNTS)} = next_offset - first_offset",
            name="payrouter_fence_counts_every_offset",
        ),
    )


def _event(metadata: MetaData) -> Table:
    """One row per group and applied event, so that the same event in a new record is known."""
    return Table(
        EVENT,
        metadata,
        Column("group_id", Text, primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column("fingerprint", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("payrouter_event_seen_at", "group_id", "seen_at"),
    )
