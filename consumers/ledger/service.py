"""What the runtime needs of the ledger."""

from dataclasses import replace

from consumers.ledger.book import METADATA
from consumers.ledger.handler import handle, saying_on
from consumers.ledger.measures import MEASURES
from consumers.ledger.trail import trail
from consumers.runtime.service import Service, Setup


def _configured(service: Service, setup: Setup) -> Service:
    return replace(service, handle=saying_on(setup.topics.outcome(service.name)))


SERVICE = Service(
    name="ledger",
    topics=("payment", "payout"),
    handle=handle,
    tables=METADATA,
    migrations="consumers.ledger.migrations",
    measures=MEASURES,
    configured=_configured,
    says_outcomes=True,
    trail=trail,
)
