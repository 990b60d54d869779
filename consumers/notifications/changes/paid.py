"""Whether one event proves that its order is paid, without an inventory. Pure."""

from decimal import Decimal

from msgspec import Struct

from router.contract.event import Event
from router.contract.lifecycle import is_paid


class OrderPrice(Struct, frozen=True):
    """The total of an order, as its platform published it; None if unknown."""

    total: Decimal | None = None
    currency: str | None = None


def proves_paid(event: Event, price: OrderPrice) -> bool:
    """Return whether one event proves that the order is paid.

    It does if the gateway reports real money that reaches the expected amount, and the
    expected amount reaches the order's total as far as that is known. What cannot be
    compared proves nothing.
    """
    if not is_paid(event.type.status) or event.amount_claimed or not event.expected_amount:
        return False
    return _covers(event, price) and _is_met(event, event.expected_amount)


def _covers(event: Event, price: OrderPrice) -> bool:
    """Return whether the price that the gateway was given is not below the order's total."""
    if price.total is None or event.expected_amount is None:
        return True
    return event.expected_currency == price.currency and event.expected_amount >= price.total


def _is_met(event: Event, expected: Decimal) -> bool:
    received = (event.amount, event.currency), (event.converted, event.converted_currency)
    for amount, currency in received:
        if amount is not None and currency == event.expected_currency:
            return amount >= expected and event.price_met is not False
    return event.price_met is True
