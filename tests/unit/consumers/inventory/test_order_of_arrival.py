"""What an order wants and its cases depend on the facts, not on how and when they arrive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import event as seen
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.inventory.policy import Policy
from router.contract.event import Event
from router.contract.order import Order
from tests.parts.contract.orders import decided, order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.oracle import DecisionModel, OrderModel
from tests.parts.inventory.payment_model import Rules
from tests.parts.inventory.shop import MOMENT, paid

Messages = Sequence[Event | Order]

POLICIES = (
    (Policy(), Rules()),
    (
        Policy(
            parity=(("EUR", "USDT"),),
            underpaid="accept_within",
            underpaid_tolerance=Decimal("0.1"),
            underpaid_cap=Decimal(2),
        ),
        Rules((("EUR", "USDT"),), Decimal("0.1"), Decimal(2)),
    ),
)
AMOUNTS = st.sampled_from(["0.01", "10", "15", "20", "28", "29", "30", "40"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USDT", "BTC"])
STATUSES = st.sampled_from(
    [
        *("pending", "failed", "expired", "cancelled"),
        *("underpaid", "confirmed", "confirmed", "overpaid", "reversed"),
        *("refunded", "refunded", "refund_failed", "disputed", "dispute_returned"),
    ]
)


@st.composite
def plain_facts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a status with an amount: a total, one of a movement, or unknown."""
    form = draw(st.sampled_from(["total", "total", "movement", "movement", "unknown"]))
    facts: dict[str, Any] = {"status": draw(STATUSES), "amount": None, "currency": None}
    if form == "total":
        return facts | {"amount": draw(AMOUNTS), "currency": draw(CURRENCIES)}
    if form == "movement":
        facts |= {"movement_amount": draw(AMOUNTS), "currency": draw(CURRENCIES)}
    if form == "movement" or draw(st.booleans()):
        facts["movement"] = draw(st.sampled_from(["m1", "m2"]))
    return facts


@st.composite
def valued_facts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an amount in another currency, with what the gateway reports about its value."""
    statuses = st.sampled_from(["pending", "underpaid", "confirmed", "confirmed", "reversed"])
    currency = draw(st.sampled_from(["BTC", "USDT"]))
    amount = draw(st.sampled_from(["1", "2"]))
    facts: dict[str, Any] = {"status": draw(statuses), "amount": amount, "currency": currency}
    if draw(st.booleans()):
        price = draw(st.sampled_from(["0.01", "30", "30"]))
        facts |= {"expected_amount": price, "expected_currency": draw(CURRENCIES)}
    if draw(st.booleans()):
        facts["price_met"] = draw(st.sampled_from([True, True, False]))
    if draw(st.booleans()):
        facts |= {"converted": draw(st.sampled_from(["28", "30"])), "converted_currency": "EUR"}
    if draw(st.integers(0, 6)) == 0:
        facts["amount_claimed"] = True
    return facts


RECORDED = {"by": "anna@desk", "reason": "seen on chain", "provider": "blockatm"}


@st.composite
def events(draw: st.DrawFn, number: int) -> Event:
    """Draw an event about one of two payments of A-1, sometimes recorded by an operator."""
    facts = draw(st.one_of(plain_facts(), valued_facts()))
    if draw(st.integers(0, 3)) == 0:
        facts |= {"provider": "operator", "recorded": RECORDED}
    return paid(
        **facts,
        id=UUID(int=number),
        provider_reference=draw(st.sampled_from(["P-1", "P-1", "P-2"])),
        received_at=MOMENT + timedelta(seconds=draw(st.integers(0, 5))),
    )


@dataclass(frozen=True)
class History:
    """Everything about one order as it happened, and the decisions with what they were about."""

    policy: Policy
    rules: Rules
    told: Messages
    decisions: Mapping[UUID, DecisionModel]

    @property
    def model(self) -> OrderModel:
        """The order with the decision that was made last."""
        made = [each for each in self.told if isinstance(each, Order) and each.decided is not None]
        last = made[-1].id if made else None
        return replace(
            model_of(self.told, self.rules), decision=self.decisions[last] if last else None
        )


def model_of(told: Messages, rules: Rules) -> OrderModel:
    """Return the model of an order, without decisions."""
    placed, *others = told
    assert isinstance(placed, Order)
    cancelled = any(each.type == "order.cancelled" for each in others)
    return OrderModel(placed, [e for e in others if isinstance(e, Event)], rules, cancelled)


def decision_about(told: Messages, policy: Policy, verb: str, number: int) -> Order:
    """Return the decision of an operator who was shown an order after these messages."""
    shop = MemoryShop(policy)
    for each in told:
        shop.apply(each)
    judgement = shop.judgement()
    return decided(
        verb,
        str(MOMENT + timedelta(seconds=number)),
        id=UUID(int=2000 + number),
        shown=judgement.shown,
        saw_cancelled=shop.order().cancelled_at is not None,
        saw_refunded=judgement.refunded,
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw everything about one order: placed, its events, perhaps cancelled, and decisions."""
    policy, rules = draw(st.sampled_from(POLICIES))
    total = draw(st.sampled_from(["30", "30", "30", "0", None]))
    currency = None if total is None else "EUR"
    told: list[Event | Order] = [order(id=UUID(int=1000), total=total, currency=currency)]
    told += [draw(events(number)) for number in range(draw(st.integers(0, 6)))]
    if draw(st.integers(0, 4)) == 0:
        cancelled = order("order.cancelled", id=UUID(int=1001))
        told.insert(draw(st.integers(1, len(told))), cancelled)
    decisions = {}
    for number in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        # The later decision is also told later.
        first = max((at for at, each in enumerate(told) if each.id in decisions), default=0)
        place = draw(st.integers(first + 1, len(told)))
        verb = draw(st.sampled_from(["accept", "accept", "refuse", "return"]))
        made = decision_about(told[:place], policy, verb, number)
        decisions[made.id] = DecisionModel(verb, model_of(told[:place], rules))
        told.insert(place, made)
    return History(policy, rules, told, decisions)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[History, Sequence[Messages]]:
    """Draw a history, and batches in which it arrives: in any order, some of it repeated."""
    history = draw(histories())
    repeated = [each for each in history.told if draw(st.integers(0, 3)) == 0]
    copies = [
        # Decisions are facts under their ids; the same money may be reported under another.
        each.model_copy(update={"id": UUID(int=each.id.int + 10**6)})
        if isinstance(each, Event)
        else each
        for each in repeated
    ]
    return history, draw(batches([*history.told, *copies]))


@st.composite
def batches(draw: st.DrawFn, told: Messages) -> Sequence[Messages]:
    """Draw an order of arrival, and its parts."""
    left, parts = draw(st.permutations(told)), []
    while left:
        size = draw(st.integers(1, len(left)))
        parts.append(left[:size])
        left = left[size:]
    return parts


def applied(policy: Policy, parts: Sequence[Messages]) -> MemoryShop:
    """Return a shop after batches."""
    shop = MemoryShop(policy)
    for part in parts:
        shop.apply(*part)
    return shop


@given(arrivals())
@settings(max_examples=600, deadline=None)
def test_wants_and_cases_are_those_of_the_reference_model(
    arrival: tuple[History, Sequence[Messages]],
) -> None:
    history, parts = arrival
    shop, model = applied(history.policy, parts), history.model
    seen(f"{model.want} {sorted(model.kinds)}")
    assert (shop.want(), shop.cases()) == (model.want, sorted(model.kinds))


@given(arrivals())
@settings(max_examples=150, deadline=None)
def test_one_batch_leaves_the_same_orders_and_stock_as_many(
    arrival: tuple[History, Sequence[Messages]],
) -> None:
    history, parts = arrival
    many = applied(history.policy, parts)
    one = applied(history.policy, [[each for part in parts for each in part]])
    assert (one.orders, one.payments, one.stock) == (many.orders, many.payments, many.stock)
