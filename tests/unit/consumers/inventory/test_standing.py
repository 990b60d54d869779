"""A payment has the standing that its facts have under the policy, also if it is remembered."""

from collections.abc import Mapping
from typing import Any

import pytest

from consumers.inventory.policy import Policy
from consumers.inventory.rules.standing import standing
from consumers.inventory.state.payments import absorb, new_payment
from tests.parts.inventory.shop import paid

OPTIONS: tuple[Mapping[str, Any], ...] = (
    *({"count_claimed": ["blockatm-main"]}, {"overpaid": "wait"}, {"parity": [["USDT", "USD"]]}),
    *({"underpaid": "accept_within", "underpaid_tolerance": "0.1", "underpaid_cap": "2"},),
    *({"without_total": "trust"}, {"refunded": "return"}, {"cancelled_after_paid": "return"}),
    *({"paid_after_cancelled": "take"}, {"hold_seconds": 60}, {"time_to_live_seconds": 60}),
    *({"sweep_seconds": 60}, {}),
)
EVENTS = (
    [paid(amount_claimed=True)],
    [paid("overpaid", "31")],
    [paid(), paid("refunded", "30", currency="USD")],
    [paid("pending")],
    [paid(), paid("reversed", "10")],
)


def test_every_option_of_the_policy_is_tried() -> None:
    tried = {name for options in OPTIONS for name in options}
    assert tried == Policy.model_fields.keys()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options), "none"))
def test_a_payment_has_the_standing_of_its_facts(options: Mapping[str, Any]) -> None:
    policy = Policy.model_validate(options)
    for events in EVENTS:
        payment = new_payment(events[0])
        for event in events:
            payment = absorb(payment, event)
        assert payment.standing(policy) == standing(payment.facts, policy)


def test_each_option_that_values_money_changes_a_standing() -> None:
    for options, (first, *others) in zip(OPTIONS[:3], EVENTS[:3], strict=True):
        payment = absorb(new_payment(first), first)
        for event in others:
            payment = absorb(payment, event)
        assert payment.standing(Policy.model_validate(options)) != payment.standing(Policy())
