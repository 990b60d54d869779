"""Money of a message: the amount paid, its conversion by BlockBee, and the fee."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from router.contract.amounts import EXACT
from router.contract.fast.bodies import parse_object
from router.contract.strict_json import JsonValue, StrictJsonError
from router.errors import NotUnderstood, Reason
from router.providers._reading import Fields, as_amount, currency_name, malformed, required
from router.providers.blockbee._coins import currency_and_network

_CONVERSIONS = "value_coin_convert"


def coins(fields: Fields, amount: str, coin: str, *, needed: bool) -> dict[str, Any]:
    """Read an amount and the currency and network of its coin."""
    money, ticker = fields.amount(amount), fields.text(coin)
    if needed:
        required(amount, money)
    if money is not None:
        required(coin, ticker)
    currency, network = (None, None) if ticker is None else currency_and_network(coin, ticker)
    return {"amount": money, "currency": currency, "network": network}


def converted_by_map(fields: Fields, currency: str) -> dict[str, object]:
    """Read the conversion of `value_coin` to this currency, if the message has it.

    BlockBee adds the map of currencies to decimals to the messages of addresses that were
    created with `convert=1` (custom-payment-flow-webhooks).
    """
    found = [text for name, text in _conversions(fields).items() if name.upper() == currency]
    if len(found) > 1:
        raise malformed(_CONVERSIONS, f"expected {currency} once")
    amount = as_amount(f"{_CONVERSIONS}.{currency}", found[0]) if found else None
    return {"converted": amount, "converted_currency": None if amount is None else currency}


def _conversions(fields: Fields) -> Mapping[str, JsonValue]:
    """Return the map, which is JSON as text, or an object in a JSON body."""
    value = fields.value(_CONVERSIONS)
    if isinstance(value, str):
        try:
            # A byte that is not UTF-8 is a lone surrogate here, and no longer UTF-8 afterwards.
            value = parse_object(value.encode("utf-8", "surrogatepass"))
        except StrictJsonError as error:
            raise malformed(_CONVERSIONS, f"expected a JSON object, {error}") from None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise malformed(_CONVERSIONS, "expected a JSON object")
    return value


def converted_by_checkout(fields: Fields) -> dict[str, object]:
    """Read the value of `paid_amount` in the currency that the merchant chose.

    Checkout-payments-webhook and checkout-deposits-webhook, and the announcement of
    2025-01-24 (blockbee.io/blog), which added it to payments.
    """
    amount = fields.amount("paid_amount_fiat")
    if amount is None:
        return {}
    currency = currency_name(required("currency", fields.text("currency")))
    return {"converted": amount, "converted_currency": currency}


def fee_of_checkout(fields: Fields, paid: Decimal, currency: str) -> dict[str, object]:
    """Return the fee of a completed checkout: the difference between paid and received.

    `received_amount` is the amount after the fees of the chain and of BlockBee (announcement
    of 2025-01-24).
    """
    received = fields.amount("received_amount")
    if received is None:
        return {}
    fee = EXACT.subtract(paid, received)
    if fee.is_signed():
        raise NotUnderstood(Reason.AMBIGUOUS, "received_amount: above paid_amount")
    return {"fee": fee, "fee_currency": currency}
