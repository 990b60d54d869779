"""Double-entry ledger of payments and payouts: each is booked once and never changed."""

from dataclasses import replace

from consumers.ledger import commands, commands_audit
from consumers.ledger.book import METADATA
from consumers.ledger.handler import handle, handler_for
from consumers.ledger.measures import MEASURES
from consumers.ledger.trail import trail
from consumers.runtime.service import Service, Setup


def _configured(service: Service, setup: Setup) -> Service:
    return replace(service, handle=handler_for(setup.topics.outcome(service.name)))


SERVICE = Service(
    name="ledger",
    topics=("payment", "payout"),
    handle=handle,
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
