"""Descriptive fields and test money of BlockBee messages."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from router.delivery import Delivery
from router.errors import NotUnderstood
from tests.parts.providers.blockbee_deliveries import (
    ADDRESS,
    CHECKOUT,
    CONFIRMED,
    DEPOSIT,
    FORM,
    JSON,
    PAYOUT,
    PENDING,
    SUBSCRIPTION,
    bee,
    changed,
    event_of,
    got,
    posted,
)

_Members = Mapping[str, object]
_FORMS = ["get", "form", "json"]


def _sent(form: str, members: _Members) -> Delivery:
    if form == "get":
        return got(members)
    return posted(members, media=FORM if form == "form" else JSON)


@pytest.mark.parametrize(
    "members",
    [
        changed(CONFIRMED, uuid="TEST_1"),
        changed(CONFIRMED, address_in="TEST_1"),
        changed(CONFIRMED, address_out="test_1"),
        changed(CONFIRMED, coin="test_coin"),
        changed(CHECKOUT, paid_coin="test_coin"),
        changed(DEPOSIT, address="TEST_1"),
        changed(PAYOUT, id="00000000-0000-0000-0000-000000000000"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"expected_addresses": ["other"]}])
@pytest.mark.parametrize("form", ["get", "form"])
def test_test_button_delivery_is_test_money_with_any_expected_addresses(
    form: str, options: dict[str, Any], members: _Members
) -> None:
    assert event_of(_sent(form, members), bee(**options)).test is True


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (CONFIRMED, False),
        (PENDING, False),
        (CHECKOUT, False),
        (DEPOSIT, False),
        (PAYOUT, None),
        (SUBSCRIPTION, None),
    ],
)
def test_delivery_that_names_a_real_coin_is_live_money(members: _Members, told: object) -> None:
    assert event_of(posted(members)).test is told


def test_merchant_parameters_cannot_mark_test_money() -> None:
    assert event_of(got(SUBSCRIPTION, "uuid=TEST_1")).test is None


@pytest.mark.parametrize(
    ("members", "unread"),
    [
        (changed(CONFIRMED, txid_in="a\nb"), ("tx_hash",)),
        (changed(CONFIRMED, address_in="x" * 600), ("to_address",)),
        (changed(CHECKOUT, txid="\x00"), ("tx_hash",)),
        (changed(SUBSCRIPTION, subscription_user_email="a@b.c\n"), ("customer.email",)),
    ],
)
@pytest.mark.parametrize("form", _FORMS)
def test_unreadable_description_does_not_prevent_a_payment(
    form: str, members: _Members, unread: tuple[str, ...]
) -> None:
    event = event_of(_sent(form, members))

    assert event.unread == unread


def test_unreadable_address_matters_only_if_addresses_are_expected() -> None:
    odd = posted(changed(CONFIRMED, address_in=5), media=JSON)

    assert event_of(odd).unread == ("to_address",)
    with pytest.raises(NotUnderstood, match="field_malformed: address_in"):
        event_of(odd, bee(expected_addresses=[ADDRESS]))


def test_a_fee_below_zero_is_a_rebate() -> None:
    assert event_of(posted(changed(CONFIRMED, fee_coin="-0.5"))).fee == Decimal("-0.5")
