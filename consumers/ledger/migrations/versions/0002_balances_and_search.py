"""Running balances maintained by the database, claims, and columns and indexes for searches."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0002"
down_revision = "0001"

_JOURNAL = ("account", "event", "transaction", "posting")

_UNBOOKED = (
    "(rank > 0 OR refunded OR disputed OR returned)"
    " AND total IS NULL AND partial IS NULL AND claimed IS NULL"
)
_UNRECONCILED = "claimed IS NOT NULL AND total IS NULL AND partial IS NULL"

# Fills the new columns of existing events from their own rows.
_FILL_EVENTS = """
UPDATE {schema}.event SET
    tx_hash = event.body::json ->> 'tx_hash',
    position_id = position.id
FROM {schema}.position
WHERE position.account = event.account AND position.provider = event.provider
    AND position.family = split_part(event.type, '.', 1)
    AND coalesce('p' || position.provider_reference, 'r' || position.reference)
        = coalesce('p' || event.provider_reference, 'r' || event.reference)
"""

_FILL_BALANCES = """
INSERT INTO {schema}.balance (account_id, currency, amount, postings)
SELECT account_id, currency, sum(amount), count(*) FROM {schema}.posting
GROUP BY account_id, currency
"""

_FILL_TOTAL = """
INSERT INTO {schema}.journal_total (id, transactions, postings)
SELECT 1, (SELECT count(*) FROM {schema}.transaction), (SELECT count(*) FROM {schema}.posting)
"""

# Every process takes these locks in key order. The single row of the total comes last.
_KEEP_BALANCES = """
CREATE FUNCTION {schema}.keep_balances() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO {schema}.balance AS known (account_id, currency, amount, postings)
    SELECT account_id, currency, sum(amount), count(*) FROM inserted
    GROUP BY account_id, currency ORDER BY account_id, currency
    ON CONFLICT (account_id, currency) DO UPDATE SET
        amount = known.amount + excluded.amount,
        postings = known.postings + excluded.postings;
    UPDATE {schema}.journal_total SET
        transactions = transactions + (SELECT count(DISTINCT transaction_id) FROM inserted),
        postings = postings + (SELECT count(*) FROM inserted);
    RETURN NULL;
END
$$
"""

_KEPT = """
CREATE TRIGGER kept AFTER INSERT ON {schema}.posting
REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.keep_balances()
"""


def upgrade() -> None:
    """Add the columns and tables, and fill them from the journal."""
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    _claims()
    _search(quoted)
    _balances(quoted)
    for table in _JOURNAL:
        # ALWAYS: a session in replica mode skips ordinary triggers.
        op.execute(f"ALTER TABLE {quoted}.{table} ENABLE ALWAYS TRIGGER append_only")


def _claims() -> None:
    op.add_column("position", sa.Column("claimed", sa.Numeric), schema=schema())
    op.add_column("position", sa.Column("claimed_currency", sa.Text), schema=schema())
    for name, where in (
        ("position_unbooked", _UNBOOKED),
        ("position_unreconciled", _UNRECONCILED),
    ):
        op.create_index(name, "position", ["id"], schema=schema(), postgresql_where=sa.text(where))


def _search(quoted: str) -> None:
    op.add_column("event", sa.Column("position_id", sa.Uuid), schema=schema())
    op.add_column("event", sa.Column("tx_hash", sa.Text), schema=schema())
    op.add_column("event", sa.Column("concern", sa.Text), schema=schema())
    op.execute(f"ALTER TABLE {quoted}.event DISABLE TRIGGER append_only")
    op.execute(_FILL_EVENTS.format(schema=quoted))
    op.alter_column("event", "position_id", nullable=False, schema=schema())
    op.create_index("event_tx_hash", "event", ["tx_hash"], schema=schema())
    op.create_index(
        "event_concern",
        "event",
        ["concern"],
        schema=schema(),
        postgresql_where=sa.text("concern IS NOT NULL"),
    )
    op.create_index(
        "transaction_posted_at",
        "transaction",
        ["posted_at"],
        schema=schema(),
        postgresql_using="brin",
    )


def _balances(quoted: str) -> None:
    op.create_table(
        "balance",
        sa.Column("account_id", sa.Uuid, primary_key=True),
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("amount", sa.Numeric, nullable=False),
        sa.Column("postings", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], [f"{schema()}.account.id"]),
        schema=schema(),
        # Few rows that change with every batch: leaves room on the page for new versions.
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "journal_total",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("transactions", sa.BigInteger, nullable=False),
        sa.Column("postings", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="journal_total_is_one_row"),
        schema=schema(),
        postgresql_with={"fillfactor": 10},
    )
    for statement in (_FILL_BALANCES, _FILL_TOTAL, _KEEP_BALANCES, _KEPT):
        op.execute(statement.format(schema=quoted))
