"""Find a parked record by its event: the same event in another lane waits behind it."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "held_parked_event",
        "held",
        ["event_id"],
        schema=schema(),
        postgresql_where=sa.text("state = 'parked'"),
    )
