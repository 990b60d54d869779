"""Operators' words about cases: append-only, to keep who closed what, and why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from consumers.runtime.migrations.environment import schema

revision = "0005"
down_revision = "0004"

_TEXTS = ("kind", "subject", "digest", "case_id", "word", "reason", "who")

# The name differs from the consumers' own functions, which are in the same schema.
_REFUSE_CHANGE = """
CREATE FUNCTION {schema}.refuse_change_of_words() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Say something new instead.';
END
$$
"""

_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.case_word
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change_of_words()
"""


def upgrade() -> None:
    """Create the table, then its trigger."""
    op.create_table(
        "case_word",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        sa.Column("facts", JSONB, nullable=False),
        sa.CheckConstraint("word IN ('closed', 'note', 'reopened')", name="case_word_is_known"),
        sa.CheckConstraint("reason <> ''", name="case_word_has_reason"),
        schema=schema(),
    )
    columns = ["subject", "kind", "digest", "id"]
    op.create_index("case_word_subject", "case_word", columns, schema=schema())
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    op.execute(_REFUSE_CHANGE.format(schema=quoted))
    op.execute(_APPEND_ONLY.format(schema=quoted))
    # Also in a session that replicates.
    op.execute(f"ALTER TABLE {quoted}.case_word ENABLE ALWAYS TRIGGER append_only")
