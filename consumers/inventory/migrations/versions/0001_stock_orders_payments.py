"""Stock, orders and payments, and their append-only history."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from consumers.runtime.migrations.environment import schema

revision = "0001"
down_revision = None

_WITHIN_STOCK = (
    "on_hand >= 0 AND reserved >= 0 AND committed >= 0 AND oversold >= 0"
    " AND reserved + committed <= on_hand"
)
_WITHIN_LINE = (
    "quantity > 0 AND reserved >= 0 AND committed >= 0 AND oversold >= 0"
    " AND reserved + committed + oversold <= quantity"
)

_HISTORIES = ("event", "movement", "history")

# Statement triggers: they run once per statement, not per row, and also catch TRUNCATE.
_REFUSE_CHANGE = """
CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$
"""

_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""


def upgrade() -> None:
    """Create the tables, then their triggers."""
    _stock()
    _orders()
    _line()
    _payment()
    _clue()
    _event()
    _movement()
    _history()
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    op.execute(_REFUSE_CHANGE.format(schema=quoted))
    for table in _HISTORIES:
        op.execute(_APPEND_ONLY.format(schema=quoted, table=table))


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _numbers(*names: str) -> tuple[sa.Column[object], ...]:
    return tuple(sa.Column(name, sa.BigInteger, nullable=False) for name in names)


def _of(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{schema()}.{table}.id"])


def _identity() -> sa.Column[object]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _stock() -> None:
    names = ("on_hand", "reserved", "committed", "oversold")
    op.create_table(
        "stock",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        *(sa.Column(each, sa.BigInteger, nullable=False, server_default="0") for each in names),
        sa.UniqueConstraint("account", "sku", name="stock_account_sku_key"),
        sa.CheckConstraint(_WITHIN_STOCK, name="stock_within"),
        schema=schema(),
        # Every order updates an article's row: leaves room on the page for new versions.
        postgresql_with={"fillfactor": 50},
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="new"),
        sa.Column("total", sa.Numeric),
        sa.Column("currency", sa.Text),
        sa.Column("placed_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("decision", JSONB),
        sa.Column("conflicts", JSONB, nullable=False, server_default="{}"),
        sa.Column("cases", JSONB),
        _now("updated_at"),
        sa.UniqueConstraint("account", "reference", name="orders_account_reference_key"),
        schema=schema(),
    )
    op.create_index("orders_reference", "orders", ["reference"], schema=schema())
    op.create_index("orders_status", "orders", ["status", "updated_at"], schema=schema())
    op.create_index(
        "orders_due",
        "orders",
        ["due_at"],
        schema=schema(),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "orders_cases",
        "orders",
        ["account", "reference"],
        schema=schema(),
        postgresql_where=sa.text("cases IS NOT NULL"),
    )


def _line() -> None:
    op.create_table(
        "line",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("stock_id", sa.Uuid, primary_key=True),
        *_numbers("quantity", "reserved", "committed", "oversold"),
        _of("order_id", "orders"),
        _of("stock_id", "stock"),
        sa.CheckConstraint(_WITHIN_LINE, name="line_within"),
        schema=schema(),
    )
    op.create_index(
        "line_oversold",
        "line",
        ["stock_id"],
        schema=schema(),
        postgresql_where=sa.text("oversold > 0"),
    )


def _payment() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("provider_reference", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("address", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("amount", sa.Numeric),
        sa.Column("currency", sa.Text),
        sa.Column("has_money", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("facts", JSONB, nullable=False, server_default="{}"),
        sa.Column("order_id", sa.Uuid),
        _now("created_at"),
        _now("updated_at"),
        _of("order_id", "orders"),
        schema=schema(),
    )
    op.create_index("payment_order", "payment", ["order_id"], schema=schema())
    op.create_index(
        "payment_provider_reference", "payment", ["provider_reference"], schema=schema()
    )
    for name in ("reference", "address"):
        op.create_index(
            f"payment_waiting_{name}",
            "payment",
            ["account", name],
            schema=schema(),
            postgresql_where=sa.text("order_id IS NULL"),
        )


def _clue() -> None:
    op.create_table(
        "clue",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("order_id", sa.Uuid),
        _of("order_id", "orders"),
        schema=schema(),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        _now("applied_at"),
        schema=schema(),
    )


def _movement() -> None:
    op.create_table(
        "movement",
        _identity(),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("stock_id", sa.Uuid, nullable=False),
        sa.Column("order_id", sa.Uuid),
        *_numbers("on_hand", "reserved", "committed", "oversold"),
        sa.Column("cause", sa.Text, nullable=False),
        _now("at"),
        _of("stock_id", "stock"),
        _of("order_id", "orders"),
        sa.UniqueConstraint(
            "event_id",
            "stock_id",
            "order_id",
            name="movement_event_stock_order_key",
            postgresql_nulls_not_distinct=True,
        ),
        schema=schema(),
    )
    op.create_index("movement_stock", "movement", ["stock_id", "id"], schema=schema())
    op.create_index("movement_order", "movement", ["order_id"], schema=schema())


def _history() -> None:
    op.create_table(
        "history",
        _identity(),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("order_id", sa.Uuid),
        sa.Column("payment_id", sa.Uuid),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("trouble", sa.Boolean, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        _now("at"),
        _of("order_id", "orders"),
        _of("payment_id", "payment"),
        sa.UniqueConstraint("event_id", "ordinal", name="history_event_ordinal_key"),
        schema=schema(),
    )
    op.create_index("history_order", "history", ["order_id"], schema=schema())
    op.create_index("history_payment", "history", ["payment_id"], schema=schema())
    op.create_index(
        "history_trouble",
        "history",
        ["what", "at"],
        schema=schema(),
        postgresql_where=sa.text("trouble"),
    )
