"""The ledger: double entry of every payment and payout, booked once, never changed."""

from consumers.ledger import commands
from consumers.ledger.book import METADATA
from consumers.ledger.handler import handle
from consumers.ledger.measures import MEASURES
from consumers.runtime.service import Service

SERVICE = Service(
    name="ledger",
    topics=("payment", "payout"),
    handle=handle,
    tables=METADATA,
    migrations="consumers.ledger.migrations",
    commands=[commands.balance, commands.statement],
    measures=MEASURES,
)
"""What the runtime knows of the ledger."""
