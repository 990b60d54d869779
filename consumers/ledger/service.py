"""Declares the ledger to the consumer runtime."""

from consumers.ledger.book import METADATA, POSITION
from consumers.ledger.cases import CLAIM_NOT_SEEN, POSITION_KINDS
from consumers.ledger.handler import handler_for
from consumers.ledger.measures import MEASURES
from consumers.ledger.options import LedgerOptions
from consumers.ledger.plain.handling import plain_handler_for
from consumers.ledger.reading.claims import CLAIM_GRACE, claims_not_seen
from consumers.ledger.trail import trail
from consumers.runtime.cases.source import CaseQuery, CaseRows
from consumers.runtime.service import ConsumerActions, Service, Setup


def _configured(setup: Setup) -> ConsumerActions:
    topic = setup.topics.outcome("ledger")
    return ConsumerActions(
        handler_for(topic, setup.options), plain=plain_handler_for(topic, setup.options)
    )


SERVICE = Service(
    name="ledger",
    topics=("payment", "payout"),
    tables=METADATA,
    migrations="consumers.ledger.migrations",
    measures=MEASURES,
    options=LedgerOptions,
    configured=_configured,
    says_outcomes=True,
    commanded=("payment", "payout"),
    trail=trail,
    cases=(
        CaseRows(POSITION, POSITION_KINDS),
        CaseQuery(CLAIM_NOT_SEEN, claims_not_seen(), CLAIM_GRACE),
    ),
)
