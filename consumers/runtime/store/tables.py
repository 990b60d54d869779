"""The runtime's own tables, one set in the schema of every consumer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

_KEY: Final = "rights"
_READ: Final = ("SELECT",)
_ADD: Final = (*_READ, "INSERT")

APPENDED: Final[dict[Any, Any]] = {_KEY: _ADD}
"""`info` of a table whose rows are inserted and never changed."""

CHANGED: Final[dict[Any, Any]] = {_KEY: (*_ADD, "UPDATE")}
"""`info` of a table whose rows are inserted and changed, or locked."""

DELETED_FROM: Final[dict[Any, Any]] = {_KEY: (*_ADD, "UPDATE", "DELETE")}
"""`info` of a table whose rows are deleted, too."""

DONE = "done"
"""State of a held record that was applied later, or found stale or duplicate."""

COUNTS = ("applied", "duplicate", "stale", "parked", "dead_lettered", "gaps")
"""Outcomes of the offsets that the fence has passed; every offset is counted as one of them."""


@dataclass(frozen=True)
class RuntimeTables:
    """The runtime's tables in the schema of one consumer."""

    metadata: MetaData
    fence: Table
    seen_event: Table
    held: Table
    outbox: Table
    brake: Table
    memory: Table
    operation: Table
    case_word: Table

    @classmethod
    @cache
    def of(cls, schema: str) -> Self:
        """Return the tables of a schema, always the same objects, so that statements are reused."""
        metadata = MetaData(schema=schema)
        return cls(
            metadata,
            _fence(metadata),
            _seen_event(metadata),
            _held(metadata),
            _outbox(metadata),
            _brake(metadata),
            _memory(metadata),
            _operation(metadata),
            _case_word(metadata),
        )


def _fence(metadata: MetaData) -> Table:
    """One row per partition read: every record below `next_offset` is applied permanently."""
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
        Column("topic_id", Uuid),
        *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTS),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        CheckConstraint("next_offset >= first_offset", name="fence_moves_forward"),
        CheckConstraint(
            f"{' + '.join(COUNTS)} = next_offset - first_offset", name="fence_counts_every_offset"
        ),
        info=CHANGED,
    )


def _seen_event(metadata: MetaData) -> Table:
    """One row per applied event, so that the same event in a new record is a duplicate."""
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
        info=DELETED_FROM,
    )


def _held(metadata: MetaData) -> Table:
    """One row per held record. The checksum distinguishes it from another record at its offset.

    `account` is null if the record cannot be decoded, or an earlier version held it.
    """
    return Table(
        "held",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("cluster_id", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("timestamp", BigInteger, nullable=False),
        Column("crc", BigInteger, nullable=False),
        Column("lane", LargeBinary, nullable=False),
        Column("key", LargeBinary),
        Column("value", LargeBinary),
        Column("headers", Text, nullable=False),
        Column("event_id", Uuid),
        Column("state", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("error", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        _time("first_failed_at", nullable=False),
        _time("last_failed_at", nullable=False),
        _time("due_at", nullable=False),
        _time("ended_at"),
        Column("outcome", Text),
        Column("account", Text),
        UniqueConstraint(
            "cluster_id", "topic", "partition", "offset", "crc", name="held_once_per_record"
        ),
        CheckConstraint("state IN ('parked', 'dead', 'done')", name="held_state"),
        Index("held_event", "event_id"),
        Index("held_parked", "lane", "id", postgresql_where=text("state = 'parked'")),
        Index("held_due", "due_at", postgresql_where=text("state = 'parked'")),
        Index("held_dead", "id", postgresql_where=text("state = 'dead'")),
        Index("held_done", "ended_at", postgresql_where=text("state = 'done'")),
        info=DELETED_FROM,
    )


def _outbox(metadata: MetaData) -> Table:
    """One row per record to publish, in this order; `refused` is why it never will be."""
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("key", LargeBinary),
        Column("value", LargeBinary),
        Column("headers", Text, nullable=False),
        _time("created_at", nullable=False, server_default=func.now()),
        Column("refused", Text),
        info=DELETED_FROM,
    )


def _brake(metadata: MetaData) -> Table:
    """One row per topic: how many of its records failed in a row, and since when it is held.

    A topic without a row has had no failure yet.
    """
    return Table(
        "brake",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("streak", Integer, nullable=False, server_default="0"),
        _time("held_since"),
        Column("detail", Text),
        info=CHANGED,
    )


def _memory(metadata: MetaData) -> Table:
    """One row: events applied before this moment may be deleted; null if none was deleted yet."""
    return Table(
        "memory",
        metadata,
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        _time("pruned_before"),
        CheckConstraint("id = 1", name="memory_is_one_row"),
        info=CHANGED,
    )


def _operation(metadata: MetaData) -> Table:
    """One row per operation of an operator, stored permanently."""
    return Table(
        "operation",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        _time("at", nullable=False, server_default=func.now()),
        Column("who", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("detail", Text, nullable=False),
        info=APPENDED,
    )


def _case_word(metadata: MetaData) -> Table:
    """One row per word of an operator about a case, stored permanently.

    A closing word holds while the case has this digest, an assignment also when its facts change.
    `facts` are those that the operator saw; `assignee` is null for a case assigned to no one.
    """
    return Table(
        "case_word",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        _time("at", nullable=False, server_default=func.now()),
        Column("kind", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("case_id", Text, nullable=False),
        Column("word", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("who", Text, nullable=False),
        Column("facts", JSONB, nullable=False),
        Column("assignee", Text),
        CheckConstraint(
            "word IN ('assigned', 'closed', 'note', 'reopened')", name="case_word_is_known"
        ),
        CheckConstraint(
            "assignee IS NULL OR word = 'assigned' AND assignee <> ''",
            name="case_word_names_assignee",
        ),
        CheckConstraint("reason <> ''", name="case_word_has_reason"),
        Index("case_word_subject", "subject", "kind", "digest", "id"),
        info=APPENDED,
    )


def _time(name: str, **options: Any) -> Column[Any]:  # noqa: ANN401 - a column's options
    return Column(name, DateTime(timezone=True), **options)


def needed_rights(table: Table) -> Sequence[str]:
    """Return the rights that a table declares by its `info`; reading and inserting by default."""
    declared: Sequence[str] = table.info.get(_KEY, _ADD)
    return declared
