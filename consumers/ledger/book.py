"""The ledger's tables.

`event`, `transaction` and `posting` are the journal: rows are added and never
changed. Database triggers enforce this, and that every transaction sums to zero
per currency (see the migrations). `position` holds the current facts of each
payment or payout; the next event is compared with it. `balance` and
`journal_total` sum up the journal: a trigger updates them with every posting,
and `payrouter ledger verify` checks them.
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
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

SCHEMA = "ledger"
"""The ledger's own schema."""

METADATA = MetaData(schema=SCHEMA)
"""The ledger's own tables, without the runtime's."""

POSTABLE = "amount <> 0 AND amount <> 'NaN'::numeric AND abs(amount) < 1e21 AND scale(amount) <= 18"
"""Constraint on a posting's amount. An amount of the contract has 20 integer digits; one posting
may be the net of a few of them (amount, fee and gas on one wallet)."""

ACCOUNT = Table(
    "account",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("network", Text),
)
"""Ledger accounts; `id` is derived from name and network (see `chart`)."""

EVENT = Table(
    "event",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("type", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("reference", Text),
    Column("provider_reference", Text),
    Column("amount", Numeric),
    Column("currency", Text),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("outcome", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("position_id", Uuid, nullable=False),
    Column("tx_hash", Text),
    Column("concern", Text),
    Index("event_reference", "reference"),
    Index("event_provider_reference", "provider_reference"),
    Index("event_tx_hash", "tx_hash"),
    Index("event_concern", "concern", postgresql_where=text("concern IS NOT NULL")),
)
"""Every handled event in full; its id is the permanent key of its effect.

`concern` names why an operator should look at the event; it is mostly null.
"""

UNBOOKED = (
    "(rank > 0 OR refunded OR disputed OR returned)"
    " AND total IS NULL AND partial IS NULL AND claimed IS NULL"
)
"""Selects positions whose money moved but whose amount is unknown: nothing is booked for them."""

UNRECONCILED = "claimed IS NOT NULL AND total IS NULL AND partial IS NULL"
"""Selects positions booked only from an amount the gateway claims, not seen on chain."""

PENDING = "family = 'payment' AND status = 'pending'"
"""Selects payments whose status is still pending."""

POSITION = Table(
    "position",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("provider_reference", Text),
    Column("reference", Text),
    Column("status", Text),
    Column("rank", SmallInteger, nullable=False, server_default="0"),
    Column("network", Text),
    Column("currency", Text),
    Column("partial", Numeric),
    Column("total", Numeric),
    Column("claimed", Numeric),
    Column("claimed_currency", Text),
    Column("expected", Numeric),
    Column("expected_currency", Text),
    Column("fee", Numeric),
    Column("fee_currency", Text),
    Column("gas", Numeric),
    Column("gas_currency", Text),
    Column("refunded", Boolean, nullable=False, server_default="false"),
    Column("refunded_amount", Numeric),
    Column("refunded_currency", Text),
    Column("disputed", Boolean, nullable=False, server_default="false"),
    Column("disputed_amount", Numeric),
    Column("disputed_currency", Text),
    Column("returned", Boolean, nullable=False, server_default="false"),
    Column("returned_amount", Numeric),
    Column("returned_currency", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("position_unbooked", "id", postgresql_where=text(UNBOOKED)),
    Index("position_unreconciled", "id", postgresql_where=text(UNRECONCILED)),
    Index("position_pending", "updated_at", postgresql_where=text(PENDING)),
)
"""One row per payment or payout: the facts from its events so far (see `position`)."""

TRANSACTION = Table(
    "transaction",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, ForeignKey(EVENT.c.event_id), nullable=False),
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("description", Text, nullable=False),
    UniqueConstraint("event_id", name="transaction_event_id_key"),
    # Rows arrive nearly in this order, so a BRIN index of a few bytes per thousand rows is enough.
    Index("transaction_posted_at", "posted_at", postgresql_using="brin"),
)
"""The change one event made to the books; an event without effect has no row."""

POSTING = Table(
    "posting",
    METADATA,
    Column("transaction_id", BigInteger, ForeignKey(TRANSACTION.c.id), primary_key=True),
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    Column("account_id", Uuid, ForeignKey(ACCOUNT.c.id), nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    CheckConstraint(POSTABLE, name="posting_amount"),
    Index("posting_account", "account_id", "transaction_id"),
)
"""The lines of a transaction; they sum to zero per currency."""

BALANCE = Table(
    "balance",
    METADATA,
    Column("account_id", Uuid, ForeignKey(ACCOUNT.c.id), primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("amount", Numeric, nullable=False),
    Column("postings", BigInteger, nullable=False),
)
"""The sum and the number of each account's postings, per currency."""

JOURNAL_TOTAL = Table(
    "journal_total",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("transactions", BigInteger, nullable=False),
    Column("postings", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="journal_total_is_one_row"),
)
"""One row: the number of transactions and postings."""
