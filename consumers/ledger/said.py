"""What the ledger says back to the platform: `ledger.posted`, once per transaction."""

from consumers.ledger.journal import Posted
from router.contract.amounts import amount_text
from router.contract.outcome import Fact, OutcomeEvent, outcome_id

OUTCOME_TOPIC = "ledger.outcome"
"""Where it is said, unless the configuration renames topics."""

_POSTED = "ledger.posted"


def outcome_of(posted: Posted) -> OutcomeEvent:
    """Say what a transaction posted. Its facts are about money, never about a customer."""
    event = posted.entry.event
    # Not validated once more: all of it is the event's, or ours.
    return OutcomeEvent.model_construct(
        id=outcome_id(_POSTED, str(event.id)),
        type=_POSTED,
        account=event.account,
        reference=event.reference,
        provider=event.provider,
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


def _lines(posted: Posted) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for number, (place, amount) in enumerate(posted.entry.lines.items(), start=1):
        facts[f"line_{number}_account"] = place.account.name
        facts[f"line_{number}_network"] = place.account.network
        facts[f"line_{number}_currency"] = place.currency
        facts[f"line_{number}_amount"] = amount_text(amount)
    return facts
