"""Facts about an event for templates: every name, with its value as text or None if unknown."""

from collections.abc import Mapping
from decimal import Context, Decimal
from operator import attrgetter

from consumers.notifications.outcomes import OrderOutcome
from consumers.notifications.rules import ORDER_PAID
from router.contract.amounts import amount_text, value_text
from router.contract.event import Event

Facts = Mapping[str, str | None]

_PLAIN = (
    "account",
    "provider",
    "reference",
    "provider_reference",
    "currency",
    "movement",
    "expected_currency",
    "fee_currency",
    "gas_currency",
    "network",
    "chain_id",
    "tx_hash",
    "from_address",
    "to_address",
)
_AMOUNTS = ("amount", "movement_amount", "expected_amount", "fee", "gas")
_plain_of = attrgetter(*_PLAIN)
_amounts_of = attrgetter(*_AMOUNTS)

_EXACT = Context(prec=60)
"""More digits than the difference of two amounts of the contract can have."""


def facts_of(event: Event, total: Decimal | None = None) -> dict[str, str | None]:
    """Return the facts of an event: amounts as exact decimal text, no customer data.

    `total` is the total known of what the event reports, in its currency.
    """
    missing, surplus = _difference(event)
    return {
        "event_id": str(event.id),
        "type": event.type.value,
        "family": event.type.family,
        "status": event.type.status,
        "order": event.reference or event.provider_reference,
        "occurred_at": event.moment.isoformat(),
        "received_at": event.received_at.isoformat(),
        **dict(zip(_PLAIN, _plain_of(event), strict=True)),
        **dict(zip(_AMOUNTS, map(_text, _amounts_of(event)), strict=True)),
        "total_amount": None if total is None else value_text(total),
        "missing_amount": missing,
        "surplus_amount": surplus,
        "claimed": "true" if event.amount_claimed else None,
        "test": "true" if event.test else None,
        "unread": ", ".join(event.unread) or None,
    }


NAMES = (
    *("event_id", "type", "family", "status", "order", "occurred_at", "received_at"),
    *_PLAIN,
    *_AMOUNTS,
    *("total_amount", "missing_amount", "surplus_amount", "claimed", "test", "unread"),
)


def order_facts(outcome: OrderOutcome) -> dict[str, str | None]:
    """Return the facts of an inventory's outcome: the order and the moment."""
    moment = outcome.at.isoformat()
    return {
        **dict.fromkeys(NAMES),
        "event_id": str(outcome.id),
        "type": ORDER_PAID,
        "family": "order",
        "status": "paid",
        "account": outcome.account,
        "reference": outcome.reference,
        "order": outcome.reference,
        "occurred_at": moment,
        "received_at": moment,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else amount_text(amount)


def _difference(event: Event) -> tuple[str | None, str | None]:
    """Return the missing amount and the surplus, if amount and price can be compared."""
    if event.amount is None or event.expected_amount is None:
        return None, None
    if event.currency != event.expected_currency:
        return None, None
    difference = _EXACT.subtract(event.expected_amount, event.amount)
    if not difference:
        return None, None
    text = amount_text(difference.copy_abs())  # abs() would round
    return (text, None) if difference > 0 else (None, text)
