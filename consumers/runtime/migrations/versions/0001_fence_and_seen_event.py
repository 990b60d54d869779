"""Tables of the offset fences and of the claimed event ids."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0001"
down_revision = None

_COUNTS = ("applied", "duplicate", "stale", "parked", "dead_lettered", "gaps")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "fence",
        sa.Column("cluster_id", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_offset", sa.BigInteger, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("last_offset", sa.BigInteger),
        sa.Column("last_timestamp", sa.BigInteger),
        sa.Column("last_crc", sa.BigInteger),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in _COUNTS),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.CheckConstraint("next_offset >= first_offset", name="fence_moves_forward"),
        sa.CheckConstraint(
            f"{' + '.join(_COUNTS)} = next_offset - first_offset",
            name="fence_counts_every_offset",
        ),
        schema=schema(),
    )
    op.create_table(
        "seen_event",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("topic", sa.Text),
        sa.Column("partition", sa.Integer),
        sa.Column("offset", sa.BigInteger),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        schema=schema(),
    )
    op.create_index("seen_event_seen_at", "seen_event", ["seen_at"], schema=schema())
