"""An index of pending payments, so that counting them reads only the index."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "position_pending",
        "position",
        ["updated_at"],
        schema=schema(),
        postgresql_where=sa.text("family = 'payment' AND status = 'pending'"),
    )
