"""An index of the payments that are pending, so that counting them reads nothing else."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "position_pending",
        "position",
        ["updated_at"],
        schema=schema(),
        postgresql_where=sa.text("family = 'payment' AND status = 'pending'"),
    )
