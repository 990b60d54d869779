"""Journal, positions and balances, with triggers that keep them and refuse changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

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

# ALWAYS: a session in replica mode skips ordinary triggers.
_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""

_ALWAYS = "ALTER TABLE {schema}.{table} ENABLE ALWAYS TRIGGER append_only"

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

# A shard belongs to one transaction until it ends, so that no transaction waits for another's
# balances. It starts at the backend's own shard; if all 16 are taken, it waits there.
_OWN_SHARD = """
CREATE FUNCTION {schema}.own_shard() RETURNS smallint LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
DECLARE
    preferred integer := pg_backend_pid() % 16;
BEGIN
    FOR step IN 0..15 LOOP
        IF pg_try_advisory_xact_lock(1818584929, (preferred + step) % 16) THEN
            RETURN (preferred + step) % 16;
        END IF;
    END LOOP;
    RETURN preferred;
END
$$
"""

# Every process takes these locks in key order, the counters last.
_KEEP_BALANCES = """
CREATE FUNCTION {schema}.keep_balances() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
DECLARE
    own smallint := {schema}.own_shard();
BEGIN
    INSERT INTO {schema}.balance AS known (account_id, currency, day, shard, amount, postings)
    SELECT account_id, currency, day, own, sum(amount), count(*)
    FROM inserted JOIN {schema}.transaction ON transaction.id = inserted.transaction_id
    GROUP BY account_id, currency, day ORDER BY account_id, currency, day
    ON CONFLICT (account_id, currency, day, shard) DO UPDATE SET
        amount = known.amount + excluded.amount,
        postings = known.postings + excluded.postings;
    INSERT INTO {schema}.journal_total AS known (day, shard, transactions, postings)
    SELECT day, own, count(DISTINCT transaction_id), count(*)
    FROM inserted JOIN {schema}.transaction ON transaction.id = inserted.transaction_id
    GROUP BY day ORDER BY day
    ON CONFLICT (day, shard) DO UPDATE SET
        transactions = known.transactions + excluded.transactions,
        postings = known.postings + excluded.postings;
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
    """Create the tables, then their triggers."""
    _account()
    _event()
    _evidence()
    _position()
    _movement()
    _transaction()
    _posting()
    _balances()
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    for statement in (
        *(_REFUSE_CHANGE, _REFUSE_UNBALANCED, _BALANCED),
        *(_OWN_SHARD, _KEEP_BALANCES, _KEPT),
    ):
        op.execute(statement.format(schema=quoted))
    for table in _JOURNAL:
        op.execute(_APPEND_ONLY.format(schema=quoted, table=table))
        op.execute(_ALWAYS.format(schema=quoted, table=table))


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
        sa.Column("movement", sa.Text),
        sa.Column("movement_amount", sa.Numeric),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("scheme", sa.Text, nullable=False),
        sa.Column("network", sa.Text),
        sa.Column("test", sa.Boolean, nullable=False),
        sa.Column("unread", sa.Text),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        _now("applied_at"),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("position_id", sa.Uuid, nullable=False),
        sa.Column("tx_hash", sa.Text),
        sa.Column("opened", sa.Text),
        schema=schema(),
    )
    for column in ("reference", "provider_reference", "tx_hash"):
        op.create_index(f"event_{column}", "event", [column], schema=schema())


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("raw", sa.Text),
        schema=schema(),
    )


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
        sa.Column("claimed", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("facts", JSONB, nullable=False, server_default="{}"),
        sa.Column("cases", JSONB),
        _now("updated_at"),
        schema=schema(),
        # Leaves room on the page for updates by the payment's later events.
        postgresql_with={"fillfactor": 70},
    )
    for name, column, where in (
        ("position_cases", "id", "cases IS NOT NULL"),
        ("position_unreconciled", "id", "claimed"),
        ("position_pending", "updated_at", "family = 'payment' AND status = 'pending'"),
    ):
        op.create_index(
            name, "position", [column], schema=schema(), postgresql_where=sa.text(where)
        )


def _movement() -> None:
    op.create_table(
        "movement",
        sa.Column("position_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("movement", sa.Text, primary_key=True),
        sa.Column("facts", JSONB, nullable=False),
        sa.ForeignKeyConstraint(["position_id"], [f"{schema()}.position.id"]),
        schema=schema(),
    )


def _transaction() -> None:
    op.create_table(
        "transaction",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        _now("posted_at"),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", name="transaction_event_id_key"),
        sa.ForeignKeyConstraint(["event_id"], [f"{schema()}.event.event_id"]),
        schema=schema(),
    )
    op.create_index(
        "transaction_posted_at",
        "transaction",
        ["posted_at"],
        schema=schema(),
        postgresql_using="brin",
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


def _balances() -> None:
    op.create_table(
        "balance",
        sa.Column("account_id", sa.Uuid, primary_key=True),
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("amount", sa.Numeric, nullable=False),
        sa.Column("postings", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], [f"{schema()}.account.id"]),
        schema=schema(),
        # The rows of a day change with every batch: leaves room on the page for new versions.
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "journal_total",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("transactions", sa.BigInteger, nullable=False),
        sa.Column("postings", sa.BigInteger, nullable=False),
        schema=schema(),
        postgresql_with={"fillfactor": 50},
    )
