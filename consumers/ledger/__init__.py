"""Double-entry ledger of payments and payouts: each is booked once and never changed."""

from consumers.ledger import commands, commands_audit
from consumers.ledger.book import METADATA
from consumers.ledger.handler import handler_for
from consumers.ledger.measures import MEASURES
from consumers.ledger.trail import trail
from consumers.runtime.service import ConsumerActions, Service, Setup


def _configured(setup: Setup) -> ConsumerActions:
    return ConsumerActions(handler_for(setup.topics.outcome("ledger")))


SERVICE = Service(
    name="ledger",
    topics=("payment", "payout"),
    tables=METADATA,
    migrations="consumers.ledger.migrations",
    commands=[
        commands.balance,
        commands.statement,
        commands_audit.verify,
        commands_audit.export,
    ],
    measures=MEASURES,
    configured=_configured,
    says_outcomes=True,
    trail=trail,
)
"""Declares the ledger to the consumer runtime."""
