"""The version of what an operator is shown, and the decision made about it."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from consumers.inventory.deciding.facts import OrderFacts, WaitingDecision
from router.contract.operator import Decision
from router.contract.order import Order
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.shop import MOMENT, paid


def facts_of(shop: MemoryShop, *waiting: WaitingDecision) -> OrderFacts:
    """Return A-1 as an operator is shown it."""
    payments, stock = list(shop.payments.values()), list(shop.stock.values())
    return OrderFacts(shop.order(), payments, stock, waiting, shop.policy, shop.now)


def waiting(number: int, seconds: float = 0) -> WaitingDecision:
    at = MOMENT + timedelta(seconds=seconds)
    return WaitingDecision(UUID(int=number), at, "bob@desk", "refuse A-1")


def made(facts: OrderFacts) -> Order:
    return facts.message(Decision.ACCEPT, "anna@desk", "paid in cash")


@pytest.fixture
def shop() -> MemoryShop:
    """Return a shop with an order that cannot be compared."""
    shop = MemoryShop()
    shop.apply(order(), paid(currency="BTC"))
    return shop


def test_a_decision_is_later_than_those_known_even_if_the_clock_went_back(
    shop: MemoryShop,
) -> None:
    shop.decide(Decision.REFUSE, seconds=10)
    known = shop.order().decision
    first = made(facts_of(shop))
    assert known is not None
    assert first.at is not None
    assert first.at > known.at
    # The record of the operation has the time of its transaction, which may be earlier.
    second = made(facts_of(shop, WaitingDecision(first.id, MOMENT, "bob@desk", "")))
    assert second.at is not None
    assert second.at > first.at
    third = made(facts_of(shop, waiting(1), waiting(2, seconds=20)))
    assert third.at is not None
    assert third.at > MOMENT + timedelta(seconds=20)


def test_a_decision_names_what_it_was_based_on(shop: MemoryShop) -> None:
    decided = made(facts_of(shop)).decided
    assert decided is not None
    assert decided.shown == shop.judgement().shown
    assert (decided.saw_cancelled, decided.saw_refunded) == (False, False)
    shop.apply(order("order.cancelled"), paid("refunded", currency="BTC"))
    decided = made(facts_of(shop)).decided
    assert decided is not None
    assert (decided.saw_cancelled, decided.saw_refunded) == (True, True)


def test_showing_an_effect_changes_nothing(shop: MemoryShop) -> None:
    facts = facts_of(shop)
    version = facts.version
    effect = facts.effect_of(made(facts))
    assert (effect.status, effect.closes) == ("committed", ["cannot-compare"])
    assert facts.version == facts_of(shop).version == version
    assert shop.status() == "reserved"


def test_the_version_changes_with_each_fact_and_not_with_time(shop: MemoryShop) -> None:
    versions = [facts_of(shop).version]
    shop.pass_time(1)
    assert facts_of(shop).version == versions[0]
    for message in (
        paid("refunded", "1", currency="BTC"),
        paid(provider_reference="P-2", amount="1"),
        order(total="31"),
        order("order.cancelled"),
    ):
        shop.apply(message)
        versions.append(facts_of(shop).version)
    shop.decide(Decision.ACCEPT)
    versions.append(facts_of(shop).version)
    facts = facts_of(shop, waiting(1))
    versions += [facts.version, replace(facts, waiting=[waiting(2)]).version]
    assert len(set(versions)) == len(versions)
