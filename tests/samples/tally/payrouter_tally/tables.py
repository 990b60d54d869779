"""The tally's table: one row per payment counted."""

from sqlalchemy import Column, MetaData, Numeric, Table, Text, Uuid

METADATA = MetaData(schema="tally")

COUNTED = Table(
    "counted",
    METADATA,
    Column("event_id", Uuid, primary_key=True),
    Column("account", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
)
