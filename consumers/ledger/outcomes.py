"""Outcome events of the ledger: `ledger.posted`, once per transaction."""

from functools import lru_cache

from consumers.ledger.writing.journal import PostedEntry
from router.contract.amounts import amount_text
from router.contract.outcome import Fact, OutcomeFacts, outcome_id

OUTCOME_TOPIC = "ledger.outcome"
"""Topic of the outcomes, unless the configuration renames it."""

_POSTED = "ledger.posted"


def posted_outcome(posted: PostedEntry) -> OutcomeFacts:
    """Return the outcome of a transaction. It carries amounts, never customer data."""
    event = posted.entry.event
    return OutcomeFacts(
        id=outcome_id(_POSTED, str(event.id)),
        type=_POSTED,
        account=event.account,
        reference=event.reference,
        provider=event.gateway,
        provider_reference=event.provider_reference,
        event_id=event.id,
        at=posted.at,
        data={
            "transaction": posted.transaction,
            "event_type": event.type.value,
            "lines": len(posted.entry.lines),
            **_lines(posted),
        },
    )


def _lines(posted: PostedEntry) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for number, (place, amount) in enumerate(posted.entry.lines.items(), start=1):
        account, network, currency, value = _names(number)
        facts[account] = place.account.name
        facts[network] = place.account.network
        facts[currency] = place.currency
        facts[value] = amount_text(amount)
    return facts


@lru_cache(maxsize=64)
def _names(number: int) -> tuple[str, str, str, str]:
    """Return the names of the facts of a line."""
    line = f"line_{number}"
    return f"{line}_account", f"{line}_network", f"{line}_currency", f"{line}_amount"
