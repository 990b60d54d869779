"""What proves that an order is paid, without an inventory."""

from decimal import Decimal

import pytest

from consumers.notifications.changes.paid import OrderPrice, proves_paid
from consumers.notifications.changes.subjects import apply_event, new_subject
from consumers.notifications.rules import ORDER_PAID
from router.contract.event import Event
from tests.parts.notifications.desk import told

MET = {"amount": "1000", "expected_amount": "1000.00", "expected_currency": "USDT"}
EUR = {"expected_amount": "1000", "expected_currency": "EUR"}
CONVERTED = {**EUR, "amount": "0.01", "currency": "BTC", "converted_currency": "EUR"}


def paid(**facts: object) -> Event:
    return told("payment.confirmed", **{**MET, **facts})


@pytest.mark.parametrize(
    ("facts", "proof"),
    [
        ({}, True),
        ({"amount": "1000.01"}, True),
        ({"type": "payment.overpaid"}, True),
        ({"amount": "999.999999999999999999"}, False),
        ({"amount": None, "currency": None}, False),
        ({"expected_amount": None, "expected_currency": None}, False),
        ({"expected_amount": "0"}, False),
        ({"type": "payment.underpaid"}, False),
        ({"type": "payment.pending"}, False),
        ({"amount_claimed": True}, False),
        ({"price_met": False}, False),
        # another currency cannot be compared, unless the gateway converts it or knows
        (EUR, False),
        ({"amount": "0.00000547", "currency": "BTC", **EUR}, False),
        ({**CONVERTED, "converted": "1000"}, True),
        ({**CONVERTED, "converted": "999.99"}, False),
        ({**CONVERTED, "converted": "1000", "price_met": False}, False),
        ({**EUR, "price_met": True}, True),
        ({"amount": "999", "price_met": True}, False),
        ({"expected_amount": None, "expected_currency": None, "price_met": True}, False),
    ],
)
def test_only_an_expected_amount_that_is_met_proves_anything(
    facts: dict[str, object], *, proof: bool
) -> None:
    assert proves_paid(paid(**facts), OrderPrice()) is proof


@pytest.mark.parametrize(
    ("price", "proof"),
    [
        (OrderPrice(), True),
        (OrderPrice(Decimal(1000), "USDT"), True),
        (OrderPrice(Decimal(999), "USDT"), True),
        (OrderPrice(Decimal("1000.01"), "USDT"), False),
        (OrderPrice(Decimal(1000), "USD"), False),
    ],
)
def test_a_price_below_the_orders_total_proves_nothing(price: OrderPrice, *, proof: bool) -> None:
    assert proves_paid(paid(), price) is proof


def test_an_invoice_over_a_cent_does_not_pay_a_large_order() -> None:
    cent = paid(amount="0.01", expected_amount="0.01")
    assert not proves_paid(cent, OrderPrice(Decimal(3000), "USDT"))


def test_a_payment_proves_it_once_and_only_if_events_may_prove_it() -> None:
    first, again = paid(), paid(amount="1001")
    change, subject, _ = apply_event(new_subject(first), None, first, OrderPrice())
    assert change.kinds == [ORDER_PAID, "payment.confirmed"]
    assert apply_event(subject, None, again, OrderPrice())[0].kinds == ["payment.confirmed"]
    assert apply_event(new_subject(first), None, first)[0].kinds == ["payment.confirmed"]


def test_a_payment_that_was_refunded_before_proves_nothing() -> None:
    refunded = told("payment.refunded", amount="1000")
    _, subject, _ = apply_event(new_subject(refunded), None, refunded, OrderPrice())
    assert apply_event(subject, None, paid(), OrderPrice())[0].kinds == ["payment.confirmed"]
