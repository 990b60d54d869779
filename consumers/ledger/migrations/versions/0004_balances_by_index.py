"""Finds the days of postings by the index of the transactions, also with a plan for few rows.

The trigger that keeps the balances joins new postings with their transactions. A plan that was made
while the journal was small read all transactions twice in every batch, until the next ANALYZE.
"""

from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0004"
down_revision = "0003"

_BY_INDEX = """
ALTER FUNCTION {schema}.keep_balances()
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
"""


def upgrade() -> None:
    """Give the function the settings that the checks of keys have."""
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    op.execute(_BY_INDEX.format(schema=quoted))
