"""An index by which what is held of one event is found: it waits behind itself in any lane."""

from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create it."""
    op.create_index("held_event", "held", ["event_id"], schema=schema())
