"""The tables of the notifications.

`change` stores every event and `message` every message, permanently: their keys
prevent a second message, even if topics are replayed. The next event is compared
with `subject`, `movement` and `customer`. `channel` and `departure` enforce the rate limit.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
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

from consumers.runtime.store.tables import APPENDED, CHANGED, DELETED_FROM

SCHEMA = "notifications"
"""The consumer's own schema."""

METADATA = MetaData(schema=SCHEMA)
"""The consumer's own tables, without the runtime's."""

PENDING, LEASED, SENT, FAILED, SKIPPED = STATES = (
    "pending",
    "leased",
    "sent",
    "failed",
    "skipped",
)


def _time(name: str, **options: Any) -> Column[Any]:  # noqa: ANN401 - a column's options
    return Column(name, DateTime(timezone=True), **options)


SUBJECT = Table(
    "subject",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("provider", Text),
    Column("family", Text, nullable=False),
    Column("provider_reference", Text),
    Column("reference", Text),
    Column("facts", Text, nullable=False, server_default="{}"),
    _time("updated_at", nullable=False, server_default=func.now()),
    info=CHANGED,
)
"""One payment, payout, subscription or order; `id` is derived from its identity.

`facts` are the folded facts of its events, as JSON (see `known`).
"""

MOVEMENT = Table(
    "movement",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("subject_id", Uuid, ForeignKey(SUBJECT.c.id), nullable=False),
    Column("kind", Text, nullable=False),
    Column("movement", Text, nullable=False),
    Column("facts", Text, nullable=False, server_default="{}"),
    _time("updated_at", nullable=False, server_default=func.now()),
    info=CHANGED,
)
"""One transfer of a subject's money, by the gateway's id: a refund, a partial payment.

The subject's row is locked before. `facts` has the highest amounts reported, as JSON.
"""

CUSTOMER = Table(
    "customer",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("email", Text),
    Column("language", Text),
    Column("payer_email", Text),
    Column("total", Numeric),
    Column("currency", Text),
    _time("updated_at", nullable=False, server_default=func.now()),
    Index("customer_updated_at", "updated_at"),
    info=DELETED_FROM,
)
"""The customer's contact of an order, and the order's total. Payments and orders both lock its row,
so neither misses the other.

`payer_email` is the address that a gateway reported with a payment of the order.
"""

CHANGE = Table(
    "change",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("provider", Text),
    Column("reference", Text),
    Column("provider_reference", Text),
    Column("tx_hash", Text),
    Column("outcome", Text, nullable=False),
    Column("facts", Text, nullable=False),
    _time("applied_at", nullable=False, server_default=func.now()),
    Index("change_order", "reference", "account"),
    Index("change_provider_reference", "provider_reference"),
    Index("change_tx_hash", "tx_hash"),
    info=APPENDED,
)
"""Every handled event, order message and outcome of the inventory, permanently.

`facts` holds the values for templates, without customer data.
"""

MESSAGE = Table(
    "message",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid, ForeignKey(CHANGE.c.event_id), nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("address", Text),
    Column("language", Text),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("forgiven", Integer, nullable=False, server_default="0"),
    Column("edition", Integer, nullable=False, server_default="0"),
    _time("due_at", nullable=False, server_default=func.now()),
    _time("wait_until"),
    _time("lease_until"),
    Column("leased_by", Text),
    _time("created_at", nullable=False, server_default=func.now()),
    _time("sent_at"),
    _time("failed_at"),
    Column("last_error", Text),
    UniqueConstraint("event_id", "channel", "recipient", name="message_once_per_event"),
    CheckConstraint(f"state IN {STATES}", name="message_state"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="message_lease"),
    Index(
        "message_due",
        "channel",
        "due_at",
        postgresql_where=text("state = 'pending' AND wait_until IS NULL"),
    ),
    Index("message_leased", "channel", "lease_until", postgresql_where=text("state = 'leased'")),
    Index("message_waiting", "wait_until", postgresql_where=text("wait_until IS NOT NULL")),
    Index("message_failed", "failed_at", postgresql_where=text("state = 'failed'")),
    Index("message_created_at", "created_at"),
    Index("message_addressed", "created_at", postgresql_where=text("address IS NOT NULL")),
    info=CHANGED,
)
"""Every message, permanently.

`recipient` is the rule's recipient (`customer` or an operator's name);
`address` is removed after a while. `wait_until` is set while the message waits
for the customer's address. `attempts` is never reset; `forgiven` is the number
of attempts before the last resend, which no longer count. `edition` increases
when a sent message is sent again.
"""

CHANNEL = Table("channel", METADATA, Column("name", Text, primary_key=True), info=CHANGED)
"""One row per channel, locked while a process leases its messages."""

DEPARTURE = Table(
    "departure",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Text, nullable=False),
    _time("at", nullable=False, server_default=func.now()),
    Index("departure_recent", "channel", "at"),
    info=DELETED_FROM,
)
"""The time of each message sent on a channel in the last minute, for its rate limit."""

SENT_BEFORE = Table(
    "sent_before",
    METADATA,
    Column("message_id", Uuid, primary_key=True),
    Column("attempts", Integer, nullable=False),
    _time("sent_at", nullable=False),
    info=DELETED_FROM,
)
"""Messages that were sent before the database was restored, and are not in it yet.

Read from the outcomes at the start; deleted once the message is created again, as a sent one.
"""
