"""Tables of held records, the outbox, the brake, and operations (who did what)."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    _held()
    _outbox()
    op.create_table(
        "brake",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("streak", sa.Integer, nullable=False, server_default="0"),
        sa.Column("held_since", sa.DateTime(timezone=True)),
        sa.Column("detail", sa.Text),
        sa.CheckConstraint("id = 1", name="brake_is_one_row"),
        schema=schema(),
    )
    op.create_table(
        "memory",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        _time("pruned_before"),
        sa.CheckConstraint("id = 1", name="memory_is_one_row"),
        schema=schema(),
    )
    for name in ("brake", "memory"):
        op.execute(sa.table(name, sa.column("id"), schema=schema()).insert().values(id=1))
    op.create_table(
        "operation",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        _time("at", nullable=False, server_default=sa.func.now()),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        schema=schema(),
    )


def _held() -> None:
    op.create_table(
        "held",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("cluster_id", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("crc", sa.BigInteger, nullable=False),
        sa.Column("lane", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("event_id", sa.Uuid),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        _time("first_failed_at", nullable=False),
        _time("last_failed_at", nullable=False),
        _time("due_at", nullable=False),
        _time("ended_at"),
        sa.Column("outcome", sa.Text),
        sa.UniqueConstraint(
            "cluster_id", "topic", "partition", "offset", "crc", name="held_once_per_record"
        ),
        sa.CheckConstraint("state IN ('parked', 'dead', 'done')", name="held_state"),
        schema=schema(),
    )
    _held_index("held_parked", ["lane", "id"], "parked")
    _held_index("held_due", ["due_at"], "parked")
    _held_index("held_dead", ["id"], "dead")
    _held_index("held_done", ["ended_at"], "done")


def _held_index(name: str, columns: list[str], state: str) -> None:
    where = sa.text(f"state = '{state}'")
    op.create_index(name, "held", columns, schema=schema(), postgresql_where=where)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.Column("headers", sa.Text, nullable=False),
        _time("created_at", nullable=False, server_default=sa.func.now()),
        sa.Column("refused", sa.Text),
        schema=schema(),
    )


def _time(name: str, **options: Any) -> sa.Column[Any]:  # noqa: ANN401 - a column's options
    return sa.Column(name, sa.DateTime(timezone=True), **options)
