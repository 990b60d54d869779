"""One row per applied event, and nothing that would keep the same event from being there twice."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "effect",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        schema=schema(),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("effect", schema=schema())
