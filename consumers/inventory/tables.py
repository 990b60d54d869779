"""The inventory's tables.

`stock`, `orders`, `line`, `payment` and `clue` hold the current state. `event`,
`movement` and `history` record how it was reached: rows are added and never
changed, which database triggers enforce (see the migrations).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from consumers.runtime.store.tables import APPENDED, CHANGED

SCHEMA = "inventory"
"""The inventory's own schema."""

METADATA = MetaData(schema=SCHEMA)
"""The inventory's own tables, without the runtime's."""

WITHIN_STOCK = (
    "on_hand >= 0 AND reserved >= 0 AND committed >= 0 AND oversold >= 0"
    " AND reserved + committed <= on_hand"
)
"""Only stock on hand is reserved or committed; quantities sold beyond that are `oversold`."""

WITHIN_LINE = (
    "quantity > 0 AND reserved >= 0 AND committed >= 0 AND oversold >= 0"
    " AND reserved + committed + oversold <= quantity"
)

STOCK = Table(
    "stock",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("on_hand", BigInteger, nullable=False, server_default="0"),
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    Column("committed", BigInteger, nullable=False, server_default="0"),
    Column("oversold", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("account", "sku", name="stock_account_sku_key"),
    CheckConstraint(WITHIN_STOCK, name="stock_within"),
    info=CHANGED,
)
"""An article's stock on hand, and how much of it is reserved or sold."""

ORDERS = Table(
    "orders",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="new"),
    Column("total", Numeric),
    Column("currency", Text),
    Column("placed_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("due_at", DateTime(timezone=True)),
    Column("decision", JSONB(none_as_null=True)),
    Column("conflicts", JSONB, nullable=False, server_default="{}"),
    Column("cases", JSONB(none_as_null=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("account", "reference", name="orders_account_reference_key"),
    Index("orders_reference", "reference"),
    Index("orders_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("orders_cases", "account", "reference", postgresql_where=text("cases IS NOT NULL")),
    Index("orders_status", "status", "updated_at"),
    info=CHANGED,
)
"""One row per order.

`expires_at` is the end of its time to live, `due_at` when the passing of time changes it next.
`cases` has the cases that hold for it, see `consumers.runtime.cases.finding`.
"""

LINE = Table(
    "line",
    METADATA,
    Column("order_id", Uuid, ForeignKey(ORDERS.c.id), primary_key=True),
    Column("stock_id", Uuid, ForeignKey(STOCK.c.id), primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("committed", BigInteger, nullable=False),
    Column("oversold", BigInteger, nullable=False),
    CheckConstraint(WITHIN_LINE, name="line_within"),
    Index("line_oversold", "stock_id", postgresql_where=text("oversold > 0")),
    info=CHANGED,
)
"""An order's quantity of an article, and how much of it is reserved or sold."""

PAYMENT = Table(
    "payment",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_reference", Text),
    Column("reference", Text),
    Column("address", Text),
    Column("status", Text),
    Column("amount", Numeric),
    Column("currency", Text),
    Column("has_money", Boolean, nullable=False, server_default="false"),
    Column("facts", JSONB, nullable=False, server_default="{}"),
    Column("order_id", Uuid, ForeignKey(ORDERS.c.id)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("payment_order", "order_id"),
    Index("payment_provider_reference", "provider_reference"),
    Index(
        "payment_waiting_reference",
        "account",
        "reference",
        postgresql_where=text("order_id IS NULL"),
    ),
    Index(
        "payment_waiting_address", "account", "address", postgresql_where=text("order_id IS NULL")
    ),
    info=CHANGED,
)
"""One row per payment; a payment without an order waits for one.

`facts` has everything reported about it; `status`, `amount`, `currency` and `has_money` are derived
from that for queries.
from consumers.runtime.store.tables import APPENDED, CHANGED
"""

CLUE = Table(
    "clue",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("order_id", Uuid, ForeignKey(ORDERS.c.id)),
    info=CHANGED,
)
"""A reference or an address by which payments are recognized, and the order it leads to.

A transaction that looks for an order or a payment by a clue locks the clue's
row, even if the row is new. So neither side can miss the other, in either order.
"""

EVENT = Table(
    "event",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    info=APPENDED,
)
"""Every event and order message handled: the permanent key of its effect."""

MOVEMENT = Table(
    "movement",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("stock_id", Uuid, ForeignKey(STOCK.c.id), nullable=False),
    Column("order_id", Uuid, ForeignKey(ORDERS.c.id)),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("committed", BigInteger, nullable=False),
    Column("oversold", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint(
        "event_id",
        "stock_id",
        "order_id",
        name="movement_event_stock_order_key",
        postgresql_nulls_not_distinct=True,
    ),
    Index("movement_stock", "stock_id", "id"),
    Index("movement_order", "order_id"),
    info=APPENDED,
)
"""The change one event made to the stock of one article; the sums equal the rows of `stock`.

Changes made by expiry or by an operator have a separate id instead of an event's.
"""

HISTORY = Table(
    "history",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("order_id", Uuid, ForeignKey(ORDERS.c.id)),
    Column("payment_id", Uuid, ForeignKey(PAYMENT.c.id)),
    Column("what", Text, nullable=False),
    Column("trouble", Boolean, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("event_id", "ordinal", name="history_event_ordinal_key"),
    Index("history_order", "order_id"),
    Index("history_payment", "payment_id"),
    Index("history_trouble", "what", "at", postgresql_where=text("trouble")),
    info=APPENDED,
)
"""Every step of an order or a payment, and problems that an operator should look at."""
