"""What an order wants and its cases depend on the facts, not on how and when they arrive."""

from collections.abc import Sequence
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
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.oracle import OrderModel
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
    form = draw(st.sampled_from(["total", "total", "total", "movement", "unknown"]))
    facts: dict[str, Any] = {"status": draw(STATUSES), "amount": None, "currency": None}
    if form == "total":
        return facts | {"amount": draw(AMOUNTS), "currency": draw(CURRENCIES)}
    if draw(st.booleans()):
        facts["movement"] = draw(st.sampled_from(["m1", "m2"]))
        if form == "movement":
            facts |= {"movement_amount": draw(AMOUNTS), "currency": draw(CURRENCIES)}
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


@st.composite
def events(draw: st.DrawFn, number: int) -> Event:
    """Draw an event about one of two payments of A-1."""
    return paid(
        **draw(st.one_of(plain_facts(), valued_facts())),
        id=UUID(int=number),
        provider_reference=draw(st.sampled_from(["P-1", "P-1", "P-2"])),
        received_at=MOMENT + timedelta(seconds=draw(st.integers(0, 5))),
    )


@st.composite
def histories(draw: st.DrawFn) -> Messages:
    """Draw everything about one order: placed, its events, perhaps cancelled."""
    total = draw(st.sampled_from(["30", "30", "30", "0", None]))
    currency = None if total is None else "EUR"
    placed = order(id=UUID(int=1000), total=total, currency=currency)
    told: list[Event | Order] = [placed]
    told += [draw(events(number)) for number in range(draw(st.integers(0, 6)))]
    if draw(st.integers(0, 4)) == 0:
        told.append(order("order.cancelled", id=UUID(int=1001)))
    return told


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[Messages, Sequence[Messages]]:
    """Draw a history, and batches in which it arrives: in any order, some of it repeated."""
    told = draw(histories())
    copies = [
        each.model_copy(update={"id": UUID(int=each.id.int + 10**6)})
        for each in told
        if isinstance(each, Event) and draw(st.integers(0, 3)) == 0
    ]
    left = draw(st.permutations([*told, *copies]))
    batches = []
    while left:
        size = draw(st.integers(1, len(left)))
        batches.append(left[:size])
        left = left[size:]
    return told, batches


@given(arrivals(), st.sampled_from(POLICIES))
@settings(max_examples=400, deadline=None)
def test_wants_and_cases_are_those_of_the_reference_model(
    arrival: tuple[Messages, Sequence[Messages]], policies: tuple[Policy, Rules]
) -> None:
    told, batches = arrival
    policy, rules = policies
    shop = MemoryShop(policy)
    for batch in batches:
        shop.apply(*batch)
    payments = [each for each in told if isinstance(each, Event)]
    placed, *_ = told
    assert isinstance(placed, Order)
    cancelled = isinstance(told[-1], Order) and len(told) > 1
    model = OrderModel(placed, payments, rules, cancelled)
    seen(f"{model.want} {sorted(model.kinds)}")
    assert (shop.want(), shop.cases()) == (model.want, sorted(model.kinds))
