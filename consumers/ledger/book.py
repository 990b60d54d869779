"""The ledger's tables.

`event`, `transfer`, `transaction` and `posting` are the journal: rows are added and never
changed. Database triggers enforce this, that every transaction sums to zero per
currency, and that it has the event or transfer, and each posting the transaction and the
account, that it names (see the migrations). `position` and `movement` hold the current
facts of each payment or payout; the next event is compared with them. `balance` and
`journal_total` sum up the journal: a trigger updates them with every posting,
and `payrouter ledger verify` checks them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
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
from sqlalchemy.dialects.postgresql import JSONB

from consumers.ledger.cases import AMOUNT_UNKNOWN
from consumers.runtime.store.tables import APPENDED, CHANGED

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
    info=APPENDED,
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
    Column("movement", Text),
    Column("movement_amount", Numeric),
    Column("endpoint", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("network", Text),
    Column("test", Boolean, nullable=False),
    Column("unread", Text),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("outcome", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("position_id", Uuid, nullable=False),
    Column("tx_hash", Text),
    Column("opened", Text),
    Index("event_reference", "reference"),
    Index("event_provider_reference", "provider_reference"),
    Index("event_tx_hash", "tx_hash"),
    info=APPENDED,
)
"""Every handled event; its id is the permanent key of its effect.

`scheme` is how its signature was verified, `unread` a JSON array or null. `digest` is that of its
evidence.
`opened` has the kinds of the cases that the event opened, with blanks between; it is mostly null.
"""

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("body", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("raw", Text),
    info=APPENDED,
)
"""The events in full, apart from the journal (see `evidence`)."""

UNBOOKED = f"cases ? '{AMOUNT_UNKNOWN.name}'"
"""Selects positions whose money moved by an unknown amount."""

UNRECONCILED = "claimed"
"""Selects positions booked only from an amount the gateway claims, not seen on chain."""

PENDING = "family = 'payment' AND status = 'pending'"
"""Selects payments whose status is still pending."""

HAS_CASES = "cases IS NOT NULL"
"""Selects positions with a case; a condition on `cases` needs it too, to use the index."""

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
    Column("claimed", Boolean, nullable=False, server_default="false"),
    Column("facts", JSONB, nullable=False, server_default="{}"),
    Column("cases", JSONB(none_as_null=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("position_cases", "id", postgresql_where=text(HAS_CASES)),
    Index("position_unreconciled", "id", postgresql_where=text(UNRECONCILED)),
    Index("position_pending", "updated_at", postgresql_where=text(PENDING)),
    info=CHANGED,
)
"""One row per payment or payout: the facts from its events so far (see `facts.position`).

`claimed` is whether its booked amount is only claimed. `cases` has what does not fit, by kind (see
`cases`); both are functions of the facts.
"""

MOVEMENT = Table(
    "movement",
    METADATA,
    Column("position_id", Uuid, ForeignKey(POSITION.c.id), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("movement", Text, primary_key=True),
    Column("facts", JSONB, nullable=False),
    info=CHANGED,
)
"""One row per transfer with an id: a refund, dispute, return or partial payment.

A position has only the sums of its transfers, so that an event costs the same however many it has.
"""

TRANSFER = Table(
    "transfer",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("from_account", Uuid, ForeignKey(ACCOUNT.c.id), nullable=False),
    Column("to_account", Uuid, ForeignKey(ACCOUNT.c.id), nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reference", Text),
    Column("undoes", Uuid, ForeignKey("ledger.transfer.id")),
    CheckConstraint(
        "amount > 0 AND amount <> 'NaN'::numeric AND amount < 1e20 AND scale(amount) <= 18",
        name="transfer_amount",
    ),
    CheckConstraint("from_account <> to_account", name="transfer_between_two"),
    CheckConstraint("reason <> ''", name="transfer_has_reason"),
    Index("transfer_reference", "reference", postgresql_where=text("reference IS NOT NULL")),
    Index("transfer_undoes", "undoes", unique=True, postgresql_where=text("undoes IS NOT NULL")),
    info=APPENDED,
)
"""What an operator posted between two accounts of a merchant: who, why, and when it happened.

`amount` is subtracted from `from_account` and added to `to_account`. `undoes` is the transfer that
this one takes back; each is undone once at most.
"""

TRANSACTION = Table(
    "transaction",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid),
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("moment", DateTime(timezone=True), nullable=False),
    Column("day", Date, nullable=False),
    Column("description", Text, nullable=False),
    Column("transfer_id", Uuid),
    UniqueConstraint("event_id", name="transaction_event_id_key"),
    CheckConstraint("num_nonnulls(event_id, transfer_id) = 1", name="transaction_has_one_cause"),
    Index(
        "transaction_transfer",
        "transfer_id",
        unique=True,
        postgresql_where=text("transfer_id IS NOT NULL"),
    ),
    # Rows arrive nearly in this order, so a BRIN index of a few bytes per thousand rows is enough.
    Index("transaction_posted_at", "posted_at", postgresql_using="brin"),
    # The day of a late fact lies far back: the operator class keeps a few ranges, not one.
    Index(
        "transaction_day",
        "day",
        postgresql_using="brin",
        postgresql_ops={"day": "date_minmax_multi_ops"},
    ),
    info=APPENDED,
)
"""The change one event or one transfer made to the books; an event without effect has no row.

`moment` is when the money moved (see `dates`), `day` its date in UTC.
"""

POSTING = Table(
    "posting",
    METADATA,
    Column("transaction_id", BigInteger, primary_key=True, autoincrement=False),
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    Column("account_id", Uuid, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    CheckConstraint(POSTABLE, name="posting_amount"),
    Index("posting_account", "account_id", "transaction_id"),
    info=APPENDED,
)
"""The lines of a transaction; they sum to zero per currency."""

BALANCE = Table(
    "balance",
    METADATA,
    Column("account_id", Uuid, ForeignKey(ACCOUNT.c.id), primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("amount", Numeric, nullable=False),
    Column("postings", BigInteger, nullable=False),
    info=CHANGED,
)
"""Sum and number of each account's postings of a day, per currency.

They are split into 16 shards. Each transaction has one of them alone, so that none waits for
another; only sums over all shards have a meaning.
"""

JOURNAL_TOTAL = Table(
    "journal_total",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("transactions", BigInteger, nullable=False),
    Column("postings", BigInteger, nullable=False),
    info=CHANGED,
)
"""Number of transactions and postings of a day, in shards like `balance`."""
