"""Conversions, fees and prices of BlockBee messages."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from router.delivery import Delivery
from router.errors import NotUnderstood, Reason
from tests.parts.providers.blockbee_deliveries import (
    CHECKOUT,
    CONFIRMED,
    DEPOSIT,
    FORM,
    JSON,
    PENDING,
    bee,
    changed,
    event_of,
    got,
    posted,
    posted_bytes,
)

_FORMS = ["get", "form", "json"]
# As documented, with more currencies than fit into a text of the contract.
_MAP = {"USD": "3.20", "EUR": "3.05", "GBP": "2.62"} | {f"Q{n:02}": "1.00" for n in range(60)}


def _sent(form: str, members: Mapping[str, object]) -> Delivery:
    if form == "get":
        return got(members)
    return posted(members, media=FORM if form == "form" else JSON)


def _converted(conversions: object, **options: Any) -> tuple[Decimal | None, str | None]:  # noqa: ANN401 - options
    members = changed(CONFIRMED, value_coin_convert=conversions)
    event = event_of(posted(members, media=JSON), bee(**options))
    assert event.amount == Decimal("0.05")
    return event.converted, event.converted_currency


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize(("currency", "amount"), [("USD", "3.20"), ("EUR", "3.05")])
def test_conversion_to_the_configured_currency_is_read(
    form: str, currency: str, amount: str
) -> None:
    members = changed(CONFIRMED, value_coin_convert=json.dumps(_MAP))
    event = event_of(_sent(form, members), bee(converted_currency=currency))

    assert (event.converted, event.converted_currency) == (Decimal(amount), currency)
    assert (event.amount, event.currency) == (Decimal("0.05"), "BTC")


@pytest.mark.parametrize(
    "conversions",
    [..., "", "{}", '{"GBP": "2.62"}', '{"EUR": null}'],
)
def test_missing_conversion_is_null(conversions: object) -> None:
    assert _converted(conversions, converted_currency="EUR") == (None, None)


@pytest.mark.parametrize(
    ("conversions", "expected"),
    [
        ({"USD": "3.20"}, "3.20"),
        ('{"usd": "3.20"}', "3.20"),
        ('{"USD": 0.30000000000000004}', "0.30000000000000004"),
    ],
)
def test_conversion_is_exact_in_every_spelling(conversions: object, expected: str) -> None:
    assert _converted(conversions) == (Decimal(expected), "USD")


@pytest.mark.parametrize(
    ("conversions", "reason", "detail"),
    [
        ("3000", Reason.FIELD_MALFORMED, "value_coin_convert: expected a JSON object"),
        ("[1]", Reason.FIELD_MALFORMED, "value_coin_convert: expected a JSON object"),
        (True, Reason.FIELD_MALFORMED, "value_coin_convert: expected a JSON object"),
        ("{USD: 1}", Reason.FIELD_MALFORMED, "value_coin_convert: expected a JSON object"),
        ('{"USD": "1", "USD": "2"}', Reason.FIELD_MALFORMED, "duplicate key"),
        ('{"USD": "1", "usd": "2"}', Reason.FIELD_MALFORMED, "expected USD once"),
        ('{"USD": "-1"}', Reason.AMOUNT_UNREPRESENTABLE, "value_coin_convert.USD"),
        ('{"USD": "about 3"}', Reason.AMOUNT_UNREPRESENTABLE, "value_coin_convert.USD"),
        ('{"USD": {}}', Reason.FIELD_MALFORMED, "value_coin_convert.USD"),
        ("\ud83d", Reason.FIELD_MALFORMED, "value_coin_convert"),
    ],
)
def test_unreadable_conversion_goes_to_quarantine(
    conversions: object, reason: Reason, detail: str
) -> None:
    with pytest.raises(NotUnderstood, match=detail) as refused:
        _converted(conversions)

    assert refused.value.reason is reason


def test_conversion_that_is_not_utf_8_goes_to_quarantine() -> None:
    with pytest.raises(NotUnderstood, match="value_coin_convert: expected a JSON object, not UTF"):
        event_of(posted_bytes(posted(CONFIRMED).body + b"&value_coin_convert=%7B%FF%7D"))


def test_pending_message_without_amount_has_no_conversion() -> None:
    event = event_of(posted(changed(PENDING, value_coin_convert='{"USD": "3.20"}')))

    assert (event.amount, event.converted, event.converted_currency) == (None, None, None)


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("members", [CHECKOUT, {**DEPOSIT, "paid_amount_fiat": "30.49"}])
def test_checkout_is_converted_to_the_currency_of_the_merchant(
    form: str, members: Mapping[str, object]
) -> None:
    event = event_of(_sent(form, changed(members, currency="eur")), bee(converted_currency="USD"))

    assert (event.converted, event.converted_currency) == (Decimal("30.49"), "EUR")


@pytest.mark.parametrize(
    ("members", "fee", "currency"), [(CHECKOUT, "0.3", "USDT"), (DEPOSIT, "0.1", "USDC")]
)
def test_fee_of_a_checkout_is_the_part_that_was_not_received(
    members: Mapping[str, object], fee: str, currency: str
) -> None:
    event = event_of(posted(members))

    assert (event.fee, event.fee_currency) == (Decimal(fee), currency)
    assert event_of(posted(changed(members, received_amount=...))).fee is None


def test_fee_is_exact_at_the_limits_of_an_amount() -> None:
    large, small = "99999999999999999999.000000000000000001", "0.000000000000000002"
    event = event_of(posted(changed(CHECKOUT, paid_amount=large, received_amount=small)))

    assert event.fee == Decimal("99999999999999999998.999999999999999999")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"received_amount": "30.6"}, "received_amount: above paid_amount"),
        ({"received_amount": "some"}, "received_amount"),
        ({"currency": ...}, "currency: required"),
        ({"paid_amount_fiat": "some"}, "paid_amount_fiat"),
    ],
)
def test_contradictory_sums_go_to_quarantine(changes: dict[str, object], detail: str) -> None:
    with pytest.raises(NotUnderstood, match=detail):
        event_of(posted(changed(CHECKOUT, **changes)))


def test_only_a_paid_checkout_meets_its_price() -> None:
    part = event_of(posted(changed(CHECKOUT, is_paid=0, received_amount="0")))

    assert event_of(posted(CHECKOUT)).price_met is True
    # What is received of a part is not final.
    assert (part.price_met, part.fee) == (None, None)
    assert event_of(posted(CONFIRMED)).price_met is None
    assert event_of(posted(DEPOSIT)).price_met is None
