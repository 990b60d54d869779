"""Facts about an event for templates: every name, with its value as text or None if unknown."""

from collections.abc import Mapping
from decimal import Context, Decimal, localcontext

from router.contract.amounts import amount_text
from router.contract.event import Event

Facts = Mapping[str, str | None]

_PLAIN = (
    "account",
    "provider",
    "reference",
    "provider_reference",
    "currency",
    "expected_currency",
    "fee_currency",
    "gas_currency",
    "network",
    "chain_id",
    "tx_hash",
    "from_address",
    "to_address",
)
_AMOUNTS = ("amount", "expected_amount", "fee", "gas")

_EXACT = Context(prec=60)
"""More digits than the difference of two amounts of the contract can have."""


def facts_of(event: Event) -> dict[str, str | None]:
    """Return the facts of an event: amounts as exact decimal text, no customer data."""
    missing, surplus = _difference(event)
    return {
        "event_id": str(event.id),
        "type": event.type.value,
        "family": event.type.family,
        "status": event.type.status,
        "order": event.reference or event.provider_reference,
        "occurred_at": event.moment.isoformat(),
        "received_at": event.received_at.isoformat(),
        **{name: getattr(event, name) for name in _PLAIN},
        **{name: _text(getattr(event, name)) for name in _AMOUNTS},
        "missing_amount": missing,
        "surplus_amount": surplus,
        "test": "true" if event.test else None,
        "unread": ", ".join(event.unread) or None,
    }


NAMES = (
    *("event_id", "type", "family", "status", "order", "occurred_at", "received_at"),
    *_PLAIN,
    *_AMOUNTS,
    *("missing_amount", "surplus_amount", "test", "unread"),
)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else amount_text(amount)


def _difference(event: Event) -> tuple[str | None, str | None]:
    """Return the missing amount and the surplus, if amount and price can be compared."""
    if event.amount is None or event.expected_amount is None:
        return None, None
    if event.currency != event.expected_currency:
        return None, None
    with localcontext(_EXACT):
        difference = event.expected_amount - event.amount
    if not difference:
        return None, None
    text = amount_text(difference.copy_abs())  # abs() would round
    return (text, None) if difference > 0 else (None, text)
