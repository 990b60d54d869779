"""A decision of an operator wins over the comparison of amounts."""

from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest

from consumers.inventory.policy import Policy
from consumers.inventory.rules.decision import OrderDecision, later
from router.contract.operator import Decision
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.shop import MOMENT, paid


def undecided() -> MemoryShop:
    """Return a shop with an order that cannot be compared."""
    shop = MemoryShop()
    shop.apply(order(), paid(currency="BTC"))
    assert shop.cases() == ["cannot-compare"]
    return shop


@pytest.mark.parametrize(
    ("verb", "status"),
    [(Decision.ACCEPT, "committed"), (Decision.REFUSE, "released"), (Decision.RETURN, "released")],
)
def test_a_decision_settles_an_order_that_cannot_be_compared(verb: Decision, status: str) -> None:
    shop = undecided()
    shop.decide(verb)
    assert (shop.status(), shop.cases()) == (status, [])


@pytest.mark.parametrize(
    ("verb", "status"), [(Decision.REFUSE, "committed"), (Decision.RETURN, "returned")]
)
def test_the_stock_of_a_sold_order_comes_back_only_by_return(verb: Decision, status: str) -> None:
    shop = MemoryShop()
    shop.apply(order(), paid())
    shop.decide(verb)
    assert (shop.status(), shop.want()) == (status, "nothing")


def test_the_later_decision_holds_in_any_order_of_arrival() -> None:
    made = [
        OrderDecision(
            verb, MOMENT + timedelta(seconds=at), UUID(int=number), "", saw_cancelled=False
        )
        for number, (verb, at) in enumerate(
            [(Decision.ACCEPT, 2), (Decision.REFUSE, 1), (Decision.RETURN, 2)]
        )
    ]
    for first, second, third in permutations(made):
        assert later(later(later(None, first), second), third) == made[2]


def test_money_after_a_decision_is_a_case() -> None:
    shop = undecided()
    shop.decide(Decision.REFUSE)
    shop.apply(paid(provider_reference="another"))
    assert (shop.status(), shop.cases()) == ("released", ["changed-since-decision"])
    shop.decide(Decision.ACCEPT, seconds=1)
    assert (shop.status(), shop.cases()) == ("committed", [])


def test_a_cancellation_after_an_acceptance_is_a_case_and_wants_nothing_more() -> None:
    shop = undecided()
    shop.decide(Decision.ACCEPT)
    shop.apply(order("order.cancelled"))
    assert (shop.want(), shop.cases()) == ("nothing", ["changed-since-decision"])


def test_a_cancelled_order_is_sold_if_an_operator_accepts_it() -> None:
    shop = MemoryShop(Policy())
    shop.apply(order(), order("order.cancelled"), paid())
    assert shop.status() == "cancelled"
    shop.decide(Decision.ACCEPT)
    assert (shop.status(), shop.cases()) == ("committed", [])


def test_an_accepted_order_that_is_refunded_in_full_wants_nothing() -> None:
    shop = undecided()
    shop.decide(Decision.ACCEPT)
    shop.apply(paid("refunded", currency="BTC"))
    assert (shop.want(), shop.cases()) == ("nothing", [])
