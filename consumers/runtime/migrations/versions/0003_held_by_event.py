"""Index on the event id of held records: duplicates of a parked event wait, in any lane."""

from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the index."""
    op.create_index("held_event", "held", ["event_id"], schema=schema())
