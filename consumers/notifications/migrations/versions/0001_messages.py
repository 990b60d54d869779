"""Events, messages, customers' contacts, and the rate limits of channels."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _subject()
    _movement()
    _customer()
    _change()
    _message()
    _message_indexes()
    _rate()


def _text(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _now(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _facts() -> sa.Column[Any]:
    return sa.Column("facts", sa.Text, nullable=False, server_default="{}")


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def _subject() -> None:
    op.create_table(
        "subject",
        sa.Column("id", sa.Uuid, primary_key=True),
        _text("account", nullable=False),
        _text("provider"),
        _text("family", nullable=False),
        _text("provider_reference"),
        _text("reference"),
        _facts(),
        _now("updated_at"),
        schema=schema(),
        # Leaves room on the page for updates by the payment's later events.
        postgresql_with={"fillfactor": 70},
    )


def _movement() -> None:
    op.create_table(
        "movement",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        _text("kind", nullable=False),
        _text("movement", nullable=False),
        _facts(),
        _now("updated_at"),
        sa.ForeignKeyConstraint(["subject_id"], [f"{schema()}.subject.id"]),
        schema=schema(),
        postgresql_with={"fillfactor": 70},
    )


def _customer() -> None:
    op.create_table(
        "customer",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("reference", sa.Text, primary_key=True),
        _text("email"),
        _text("language"),
        _text("payer_email"),
        sa.Column("total", sa.Numeric),
        _text("currency"),
        _now("updated_at"),
        schema=schema(),
    )
    op.create_index("customer_updated_at", "customer", ["updated_at"], schema=schema())


def _change() -> None:
    op.create_table(
        "change",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        _text("type", nullable=False),
        _text("account", nullable=False),
        _text("provider"),
        _text("reference"),
        _text("provider_reference"),
        _text("tx_hash"),
        _text("outcome", nullable=False),
        _text("facts", nullable=False),
        _now("applied_at"),
        schema=schema(),
    )
    op.create_index("change_order", "change", ["reference", "account"], schema=schema())
    op.create_index("change_provider_reference", "change", ["provider_reference"], schema=schema())
    op.create_index("change_tx_hash", "change", ["tx_hash"], schema=schema())


def _message() -> None:
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        _text("channel", nullable=False),
        _text("recipient", nullable=False),
        _text("kind", nullable=False),
        _text("address"),
        _text("language"),
        _text("state", nullable=False),
        _number("attempts"),
        _number("forgiven"),
        _number("edition"),
        _now("due_at"),
        _time("wait_until"),
        _time("lease_until"),
        _text("leased_by"),
        _now("created_at"),
        _time("sent_at"),
        _time("failed_at"),
        _text("last_error"),
        sa.ForeignKeyConstraint(["event_id"], [f"{schema()}.change.event_id"]),
        sa.UniqueConstraint("event_id", "channel", "recipient", name="message_once_per_event"),
        sa.CheckConstraint(
            "state IN ('pending', 'leased', 'sent', 'failed', 'skipped')", name="message_state"
        ),
        sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="message_lease"),
        schema=schema(),
        postgresql_with={"fillfactor": 70},
    )


def _message_indexes() -> None:
    due = sa.text("state = 'pending' AND wait_until IS NULL")
    for name, columns, where in (
        ("message_due", ["channel", "due_at"], due),
        ("message_leased", ["channel", "lease_until"], sa.text("state = 'leased'")),
        ("message_waiting", ["wait_until"], sa.text("wait_until IS NOT NULL")),
        ("message_failed", ["failed_at"], sa.text("state = 'failed'")),
        ("message_addressed", ["created_at"], sa.text("address IS NOT NULL")),
    ):
        op.create_index(name, "message", columns, schema=schema(), postgresql_where=where)
    op.create_index("message_created_at", "message", ["created_at"], schema=schema())


def _rate() -> None:
    op.create_table("channel", sa.Column("name", sa.Text, primary_key=True), schema=schema())
    op.create_table(
        "departure",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        _text("channel", nullable=False),
        _now("at"),
        schema=schema(),
    )
    op.create_index("departure_recent", "departure", ["channel", "at"], schema=schema())
