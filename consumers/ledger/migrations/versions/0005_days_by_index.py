"""Finds the transactions of a day or a month without reading the journal: an index of its blocks.

Its size is a few bytes per thousand rows, and an insert costs it nothing that can be measured. Of
late facts, whose days lie far back, each block remembers some ranges instead of one.
"""

from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "transaction_day",
        "transaction",
        ["day"],
        schema=schema(),
        postgresql_using="brin",
        postgresql_ops={"day": "date_minmax_multi_ops"},
    )
