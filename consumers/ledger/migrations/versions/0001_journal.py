"""The journal, with triggers that refuse unbalanced, changed or deleted rows."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0001"
down_revision = None

_AMOUNT = "amount <> 0 AND amount <> 'NaN'::numeric AND abs(amount) < 1e21 AND scale(amount) <= 18"

_JOURNAL = ("account", "event", "transaction", "posting")

# Statement triggers: they run once per statement, not per row, and also catch TRUNCATE.
_REFUSE_CHANGE = """
CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Correct by a reversal.';
END
$$
"""

_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""

_REFUSE_UNBALANCED = """
CREATE FUNCTION {schema}.refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
DECLARE
    wrong record;
BEGIN
    SELECT transaction_id, currency, sum(amount) AS total INTO wrong
    FROM inserted GROUP BY transaction_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is out of balance by % %',
            wrong.transaction_id, wrong.total, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$
"""

# All postings of a transaction come in one statement, so one check per statement is enough.
_BALANCED = """
CREATE TRIGGER balanced AFTER INSERT ON {schema}.posting
REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_unbalanced()
"""


def upgrade() -> None:
    """Create the tables, then their triggers."""
    _account()
    _event()
    _position()
    _transaction()
    _posting()
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    op.execute(_REFUSE_CHANGE.format(schema=quoted))
    op.execute(_REFUSE_UNBALANCED.format(schema=quoted))
    op.execute(_BALANCED.format(schema=quoted))
    for table in _JOURNAL:
        op.execute(_APPEND_ONLY.format(schema=quoted, table=table))


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("network", sa.Text),
        schema=schema(),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("provider_reference", sa.Text),
        sa.Column("amount", sa.Numeric),
        sa.Column("currency", sa.Text),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        _now("applied_at"),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        schema=schema(),
    )
    op.create_index("event_reference", "event", ["reference"], schema=schema())
    op.create_index("event_provider_reference", "event", ["provider_reference"], schema=schema())


def _position() -> None:
    op.create_table(
        "position",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("provider_reference", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("rank", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("network", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("partial", sa.Numeric),
        sa.Column("total", sa.Numeric),
        *_amount("expected"),
        *_amount("fee"),
        *_amount("gas"),
        *_taken_back("refunded"),
        *_taken_back("disputed"),
        *_taken_back("returned"),
        _now("updated_at"),
        schema=schema(),
        # Leaves room on the page for updates by the payment's later events.
        postgresql_with={"fillfactor": 70},
    )


def _amount(name: str) -> tuple[sa.Column[object], ...]:
    return (sa.Column(name, sa.Numeric), sa.Column(f"{name}_currency", sa.Text))


def _taken_back(name: str) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column(name, sa.Boolean, nullable=False, server_default="false"),
        sa.Column(f"{name}_amount", sa.Numeric),
        sa.Column(f"{name}_currency", sa.Text),
    )


def _transaction() -> None:
    op.create_table(
        "transaction",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        _now("posted_at"),
        sa.Column("description", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", name="transaction_event_id_key"),
        sa.ForeignKeyConstraint(["event_id"], [f"{schema()}.event.event_id"]),
        schema=schema(),
    )


def _posting() -> None:
    op.create_table(
        "posting",
        sa.Column("transaction_id", sa.BigInteger, primary_key=True),
        sa.Column("line", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.Numeric, nullable=False),
        sa.ForeignKeyConstraint(["transaction_id"], [f"{schema()}.transaction.id"]),
        sa.ForeignKeyConstraint(["account_id"], [f"{schema()}.account.id"]),
        sa.CheckConstraint(_AMOUNT, name="posting_amount"),
        schema=schema(),
    )
    op.create_index("posting_account", "posting", ["account_id", "transaction_id"], schema=schema())
