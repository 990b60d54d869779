"""Options of `[consumers.inventory]`."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from consumers.inventory.policy import Policy
from consumers.inventory.service import SERVICE
from consumers.runtime.service import Setup
from router.contract.order_fields import OrderFields
from router.contract.topics import Topics


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"underpaid": "accept_within"}, "underpaid_tolerance"),
        ({"underpaid_tolerance": "0.01"}, "accept_within"),
        (
            {"underpaid": "accept_within", "underpaid_tolerance": 0.01},
            "text or a Decimal, not float",
        ),
        ({"underpaid": "accept_within", "underpaid_tolerance": "1"}, "less than Decimal"),
        ({"underpaid_cap": "5"}, "underpaid_cap needs underpaid_tolerance"),
        ({"parity": [["USD"]]}, "at least 2"),
        ({"parity": [["USD", "USDT"], ["EUR", "USD"]]}, "USD more than once"),
        (
            {"paid_after_cancelled": "take", "cancelled_after_paid": "return"},
            "contradict each other",
        ),
        ({"refunded": "maybe"}, "refunded"),
        ({"time_to_live_seconds": 0}, "time_to_live_seconds"),
        ({"short": "backorder"}, "short"),
    ],
    ids=str,
)
def test_an_invalid_policy_is_refused(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Policy.model_validate(wrong)


def test_the_configuration_reaches_the_service() -> None:
    setup = Setup(Policy(sweep_seconds=7), Topics("eu."), OrderFields(total="/sum"))
    configured = SERVICE.actions(setup)
    (work,) = configured.work
    assert (work.name, work.every_seconds) == ("lapse", 7)
    keywords = getattr(configured.handle, "keywords", {})
    assert keywords == {"policy": setup.options, "outcomes": "eu.inventory.outcome"}
    value = b'{"type": "order.placed", "account": "a", "reference": "1", "lines": [],'
    order = configured.readers["order"](value + b' "sum": 3, "currency": "EUR"}', [])
    assert getattr(order, "total", None) == 3


def test_currencies_at_parity_have_one_name() -> None:
    policy = Policy.model_validate({"parity": [["USD", "USDT"], ["EUR", "EURC"]]})
    assert [policy.unit(each) for each in ("USD", "USDT", "EURC", "BTC")] == [
        *("USD", "USD", "EUR", "BTC")
    ]


def test_the_tolerance_is_a_share_up_to_a_cap() -> None:
    options = {"underpaid": "accept_within", "underpaid_tolerance": "0.01", "underpaid_cap": "5"}
    policy = Policy.model_validate(options)
    assert [policy.may_be_missing(Decimal(total)) for total in (100, 1000)] == [1, 5]
