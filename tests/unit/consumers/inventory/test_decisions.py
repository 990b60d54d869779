"""A decision of an operator wins over the comparison of amounts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest
from msgspec.structs import replace

from consumers.inventory.identity import stock_id
from consumers.inventory.policy import Policy
from consumers.inventory.rules.decision import OrderDecision, later
from consumers.inventory.state.shelf import Stock
from router.contract.event import Event
from router.contract.operator import Decision
from router.contract.order import Order
from tests.parts.contract.orders import decided, order
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
    [(Decision.ACCEPT, "committed"), (Decision.REFUSE, "released"), (Decision.RETURN, "returned")],
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


def stocked(on_hand: int, *told: Event | Order) -> MemoryShop:
    """Return a shop with so many teas after these messages."""
    shop = MemoryShop()
    tea = stock_id("shop-eu", "tea")
    shop.stock[tea] = Stock(tea, "shop-eu", "tea", on_hand=on_hand)
    for each in told:
        shop.apply(each)
    return shop


REFUNDED = (paid(), paid("refunded"))
LIVES: Mapping[str, tuple[int, Sequence[Event | Order]]] = {
    "reserved": (9, [order()]),
    "short": (1, [order()]),
    "released": (9, [order(), paid("failed")]),
    "committed": (9, [order(), paid()]),
    "oversold": (1, [order(), paid()]),
    "cancelled": (9, [order(), order("order.cancelled")]),
    "refunded before it was placed": (9, [*REFUNDED, order()]),
    "refunded": (9, [order(), *REFUNDED]),
    "returned": (9, [order(), paid(), decided("return", at="2020-01-01T00:00:00Z")]),
}
RESULTS = {
    # Sold, and missing, by status.
    "reserved": ("committed 2 0", "released 0 0", "returned 0 0"),
    "short": ("oversold 1 1", "short 0 0", "short 0 0"),
    "released": ("committed 2 0", "released 0 0", "released 0 0"),
    "committed": ("committed 2 0", "committed 2 0", "returned 0 0"),
    "oversold": ("oversold 1 1", "committed 1 0", "returned 0 0"),
    "cancelled": ("committed 2 0", "cancelled 0 0", "cancelled 0 0"),
    "refunded before it was placed": ("committed 2 0", "released 0 0", "released 0 0"),
    "refunded": ("committed 2 0", "committed 2 0", "returned 0 0"),
    "returned": ("committed 2 0", "returned 0 0", "returned 0 0"),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("verb", Decision)
def test_each_decision_has_the_result_of_the_page(life: str, verb: Decision) -> None:
    shop = stocked(LIVES[life][0], *LIVES[life][1])
    shop.decide(verb)
    (line,) = shop.order().lines
    found = f"{shop.status()} {line.committed} {line.oversold}"
    assert found == RESULTS[life][list(Decision).index(verb)]
    assert shop.want() == ("goods" if verb is Decision.ACCEPT else "nothing")
    assert not {"changed-since-decision", "no-longer-paid"} & set(shop.cases())


@pytest.mark.parametrize("verb", Decision)
def test_the_same_decision_again_changes_nothing(verb: Decision) -> None:
    shop = stocked(9, order(), paid(currency="BTC"))
    shop.decide(verb)
    known, moved = shop.order(), list(shop.movements)
    shop.decide(verb, seconds=1)
    assert replace(shop.order(), decision=None) == replace(known, decision=None)
    assert shop.movements == moved


@pytest.mark.parametrize(("first", "second"), list(permutations(Decision, 2)))
def test_the_last_of_two_decisions_counts(first: Decision, second: Decision) -> None:
    shop, once = (stocked(9, order(), paid(currency="BTC")) for _ in range(2))
    shop.decide(first)
    shop.decide(second, seconds=1)
    once.decide(second)
    assert shop.want() == once.want()
    holds = shop.order().decision
    assert holds is not None
    assert holds.verb is second


def test_an_acceptance_that_saw_the_refund_sells_and_a_later_one_does_not() -> None:
    shop = stocked(9, order(), paid(currency="BTC"))
    shop.decide(Decision.ACCEPT)
    shop.apply(paid("refunded", currency="BTC"))
    assert shop.want() == "nothing"
    shop.decide(Decision.ACCEPT, seconds=1)
    assert (shop.want(), shop.cases()) == ("goods", [])


def test_a_decision_before_its_order_is_placed_holds_once_it_is() -> None:
    """As a replay may read them: platform and operators write to different partitions."""
    shop = MemoryShop()
    shop.apply(decided("accept", shown="of other facts"))
    shop.apply(order())
    assert (shop.status(), shop.want()) == ("committed", "goods")


def test_the_history_names_who_decided_when_and_why() -> None:
    shop = stocked(9, order())
    state = shop.state()
    state.apply(decided("accept", at="2026-01-02T03:04:05Z"))
    (note,) = [each.note for each in state.notes if each.note.what == "decided"]
    assert note.facts == {
        "decision": "accept",
        "by": "anna@desk",
        "reason": "paid in cash",
        "decided": "2026-01-02T03:04:05+00:00",
    }


def test_the_history_names_the_decision_that_replaces_an_earlier_one() -> None:
    shop = stocked(9, order())
    last = decided("refuse", at="2026-01-02T03:04:06Z")
    shop.apply(last)
    state = shop.state()
    state.apply(decided("accept", at="2026-01-02T03:04:05Z"))
    (note,) = [each.note for each in state.notes if each.note.what == "decided"]
    assert note.facts["replaced by"] == str(last.id)
    assert shop.status() == "released"
