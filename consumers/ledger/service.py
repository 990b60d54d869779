"""Declares the ledger to the consumer runtime."""

from consumers.ledger.book import METADATA, POSITION
from consumers.ledger.cases import KINDS
from consumers.ledger.handler import handler_for
from consumers.ledger.measures import MEASURES
from consumers.ledger.trail import trail
from consumers.runtime.cases.source import CaseRows
from consumers.runtime.service import ConsumerActions, Service, Setup


def _configured(setup: Setup) -> ConsumerActions:
    return ConsumerActions(handler_for(setup.topics.outcome("ledger")))


SERVICE = Service(
    name="ledger",
    topics=("payment", "payout"),
    tables=METADATA,
    migrations="consumers.ledger.migrations",
    measures=MEASURES,
    configured=_configured,
    says_outcomes=True,
    trail=trail,
    cases=(CaseRows(POSITION, KINDS),),
)
