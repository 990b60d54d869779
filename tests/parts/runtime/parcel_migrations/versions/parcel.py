"""One row per parcel, with its cases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from consumers.runtime.migrations.environment import schema

revision = "0001"
down_revision = None

_TEXTS = ("account", "reference", "provider", "provider_reference")


def upgrade() -> None:
    """Create the table, with an index of the rows that have a case."""
    op.create_table(
        "parcel",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in _TEXTS),
        sa.Column("cases", JSONB),
        sa.Column("waits_since", sa.DateTime(timezone=True)),
        schema=schema(),
    )
    op.create_index(
        "parcel_cases",
        "parcel",
        ["id"],
        schema=schema(),
        postgresql_where=sa.text("cases IS NOT NULL"),
    )
