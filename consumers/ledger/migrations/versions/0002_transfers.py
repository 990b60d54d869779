"""Transfers between accounts: a transaction has one cause, an event or a transfer."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0002"
down_revision = "0001"

_AMOUNT = "amount > 0 AND amount <> 'NaN'::numeric AND amount < 1e20 AND scale(amount) <= 18"

_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.transfer
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""

# ALWAYS: a session in replica mode skips ordinary triggers.
_ALWAYS = "ALTER TABLE {schema}.transfer ENABLE ALWAYS TRIGGER append_only"


def upgrade() -> None:
    """Create the table with its trigger, and let a transaction name a transfer as its cause.

    Consumers of the version before may still write: what they insert names an event.
    """
    _transfer()
    _cause()
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    op.execute(_APPEND_ONLY.format(schema=quoted))
    op.execute(_ALWAYS.format(schema=quoted))


def _transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_account", sa.Uuid, nullable=False),
        sa.Column("to_account", sa.Uuid, nullable=False),
        sa.Column("amount", sa.Numeric, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("undoes", sa.Uuid),
        sa.ForeignKeyConstraint(["from_account"], [f"{schema()}.account.id"]),
        sa.ForeignKeyConstraint(["to_account"], [f"{schema()}.account.id"]),
        sa.ForeignKeyConstraint(["undoes"], [f"{schema()}.transfer.id"]),
        sa.CheckConstraint(_AMOUNT, name="transfer_amount"),
        sa.CheckConstraint("from_account <> to_account", name="transfer_between_two"),
        sa.CheckConstraint("reason <> ''", name="transfer_has_reason"),
        schema=schema(),
    )
    _partial_index("transfer_reference", "transfer", "reference")
    _partial_index("transfer_undoes", "transfer", "undoes", unique=True)


def _cause() -> None:
    op.alter_column("transaction", "event_id", nullable=True, schema=schema())
    op.add_column("transaction", sa.Column("transfer_id", sa.Uuid), schema=schema())
    op.create_foreign_key(
        "transaction_transfer_id_fkey",
        "transaction",
        "transfer",
        ["transfer_id"],
        ["id"],
        source_schema=schema(),
        referent_schema=schema(),
    )
    op.create_check_constraint(
        "transaction_has_one_cause",
        "transaction",
        "num_nonnulls(event_id, transfer_id) = 1",
        schema=schema(),
    )
    # Partial: the transactions of events, which are nearly all, cost it nothing.
    _partial_index("transaction_transfer", "transaction", "transfer_id", unique=True)


def _partial_index(name: str, table: str, column: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        table,
        [column],
        unique=unique,
        schema=schema(),
        postgresql_where=sa.text(f"{column} IS NOT NULL"),
    )
