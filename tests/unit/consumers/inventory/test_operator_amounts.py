"""An amount that an operator recorded counts instead of what the gateway reported."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import pytest

from consumers.inventory.rules.amounts import received
from consumers.inventory.rules.facts import PaymentFacts, add_event
from consumers.inventory.rules.stored_facts import facts_column, facts_of
from router.contract.event import Event
from router.contract.operator import Decision
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.shop import paid

RECORDED = {"by": "anna@desk", "reason": "seen on chain", "provider": "blockatm"}


def recorded(status: str = "confirmed", amount: str | None = "30", **facts: Any) -> Event:  # noqa: ANN401 - any field
    """Make an operator's record about the payment of A-1."""
    return paid(status, amount, **{"provider": "operator", "recorded": RECORDED, **facts})


def at(second: int) -> str:
    return f"2026-01-02T03:04:{second:02}Z"


def answers(*told: Event) -> tuple[str, list[str]]:
    """Return whether the order of 30 USDT is paid, and its cases."""
    shop = MemoryShop()
    shop.apply(order(), *told)
    return shop.judgement().answer.value, shop.cases()


CONVERTED = {"converted": "30", "converted_currency": "USDT"}
HISTORIES: Mapping[str, tuple[Sequence[Event], str, list[str]]] = {
    "less": ([paid(amount="40"), recorded(amount="20")], "no", ["paid-too-little"]),
    "more": ([paid(amount="20"), recorded(amount="30")], "yes", []),
    "in the order's currency": ([paid(currency="BTC"), recorded()], "yes", []),
    "in another currency": (
        *([paid(), recorded(currency="BTC")], "cannot compare", ["cannot-compare"]),
    ),
    "a claim was seen": ([paid(amount_claimed=True), recorded()], "yes", []),
    "never a claim": (*([paid(amount_claimed=True), recorded(amount_claimed=True)], "yes", []),),
    "an unknown amount": ([paid(amount=None), recorded()], "yes", []),
    "nothing": ([recorded(amount="0"), paid()], "no", []),
    "a refund": ([paid(), recorded("refunded", "30")], "no", []),
    "a smaller refund": (
        [paid(), paid("refunded", "30"), recorded("refunded", "10")],
        *("yes", ["partial-refund"]),
    ),
    "a conversion": (
        [recorded(amount="1", currency="BTC", **CONVERTED, amount_claimed=True)],
        *("yes", []),
    ),
    "no reversal": ([paid(), paid("reversed", "30"), recorded("reversed", "0")], "yes", []),
    "a reversal": ([paid(), recorded("reversed", "1")], "no", ["no-longer-paid"]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_the_amount_of_an_operator_counts(name: str) -> None:
    told, *expected = HISTORIES[name]
    for each in permutations(told):
        assert answers(*each) == tuple(expected)


def parts(*amounts: tuple[str, str], **facts: Any) -> list[Event]:  # noqa: ANN401 - any field
    return [
        paid("underpaid", None, currency="USDT", movement=name, movement_amount=amount, **facts)
        for name, amount in amounts
    ]


def test_a_recorded_part_replaces_only_that_part() -> None:
    stated = recorded("underpaid", None, currency="USDT", movement="a", movement_amount="5")
    facts = PaymentFacts()
    for each in [*parts(("a", "20"), ("b", "10")), stated]:
        facts = add_event(facts, each)
    assert {c: str(n) for c, n in received(facts, {""}).amounts.items()} == {"USDT": "15"}


def test_a_recorded_total_replaces_all_parts() -> None:
    told = [*parts(("a", "20"), ("b", "10")), recorded(amount="25"), paid(amount="40")]
    for each in permutations(told):
        assert answers(*each) == ("no", ["paid-too-little"])


@pytest.mark.parametrize("order_of", list(permutations(range(3))))
def test_the_latest_record_counts_and_of_two_at_one_moment_the_highest(
    order_of: tuple[int, ...],
) -> None:
    made = [
        recorded(amount="30", received_at=at(1)),
        recorded(amount="20", received_at=at(2)),
        recorded(amount="10", received_at=at(2)),
    ]
    assert answers(*(made[each] for each in order_of)) == ("no", ["paid-too-little"])
    facts = PaymentFacts()
    for each in [made[n] for n in order_of] * 2:
        facts = add_event(facts, each)
    (stated,) = facts.stated.values()
    assert str(stated.amount) == "20"
    assert facts_of(facts_column(facts)) == facts


def test_a_record_of_earlier_money_corrects_a_record_made_before() -> None:
    made = [
        recorded(amount="30", received_at=at(1), occurred_at=at(1)),
        recorded(amount="20", received_at=at(2), occurred_at=at(0)),
    ]
    for each in permutations(made):
        assert answers(*each) == ("no", ["paid-too-little"])


def test_facts_without_records_have_no_column_for_them() -> None:
    assert "stated" not in facts_column(add_event(PaymentFacts(), paid()))


MET: dict[str, Any] = {"amount": "0.5", "currency": "BTC", "price_met": True}
PRICE = {"expected_amount": "30", "expected_currency": "USDT"}


@pytest.mark.parametrize(
    ("amount", "currency", "answer"),
    [("0.5", "BTC", "yes"), ("0.6", "BTC", "yes"), ("0.4", "BTC", "cannot compare")],
)
def test_the_price_is_not_met_if_an_operator_saw_less(
    amount: str, currency: str, answer: str
) -> None:
    told = [paid(**MET, **PRICE), recorded(amount=amount, currency=currency)]
    assert answers(*told)[0] == answer


def test_a_record_of_another_gateway_is_another_payment() -> None:
    other = recorded(amount="0", recorded={**RECORDED, "provider": "resmic"})
    assert answers(paid(), other) == ("yes", [])


def test_a_record_after_a_decision_is_a_change() -> None:
    shop = MemoryShop()
    shop.apply(order(), paid(amount="20"))
    shop.decide(Decision.REFUSE)
    shop.apply(recorded(amount="25"))
    assert (shop.status(), shop.cases()) == ("released", ["changed-since-decision"])
    assert "recorded by operator" in shop.notes
    known = len(shop.notes)
    shop.apply(recorded(amount="25"))
    assert shop.notes[known:] == []
