"""Who a case is assigned to, and the merchant of a held record."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; an earlier version of the code writes neither and reads neither."""
    op.add_column("held", sa.Column("account", sa.Text), schema=schema())
    op.add_column("case_word", sa.Column("assignee", sa.Text), schema=schema())
    op.drop_constraint("case_word_is_known", "case_word", schema=schema())
    known = "word IN ('assigned', 'closed', 'note', 'reopened')"
    op.create_check_constraint("case_word_is_known", "case_word", known, schema=schema())
    named = "assignee IS NULL OR word = 'assigned' AND assignee <> ''"
    op.create_check_constraint("case_word_names_assignee", "case_word", named, schema=schema())
