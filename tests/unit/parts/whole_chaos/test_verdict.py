"""What is sold, what must follow, and the verdict about sinks that hold something else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.parts.whole_chaos.orders import PAID, PAID_OUT, Due, Sold, sold
from tests.parts.whole_chaos.plan import Fault
from tests.parts.whole_chaos.run import NO_FAULT, by_kind, made_of
from tests.parts.whole_chaos.sinks import Held, judged

SOLD = sold(1, 300)
DUE = Due.of(SOLD)
PAID_NAME = min(DUE.paid)
PAID_OUT_NAME = min(DUE.paid_out)
CENT = Decimal("0.01")


def exact() -> Held:
    """Return sinks that hold exactly what is due; money that came in is negative there."""
    return Held(
        events=dict.fromkeys(DUE.events, 1),
        paid={name: -amount for name, amount in DUE.paid.items()},
        paid_out=dict(DUE.paid_out),
        stock=dict(DUE.stock),
        reserved=0,
        oversold=0,
        orders=dict.fromkeys(DUE.orders, "committed"),
        messages=dict.fromkeys(DUE.messages, 1),
        received=len(DUE.messages),
        applied=dict(DUE.applied),
        left={"dead letters": 0},
    )


def test_deliveries_are_repeated_reordered_and_some_arrive_before_their_order() -> None:
    assert sold(1, 300) == SOLD
    assert [each.number for each in SOLD] == list(range(len(SOLD)))
    counts = Counter(each.effect for each in SOLD)
    assert max(counts.values()) == 3
    assert {each.gateway for each in SOLD} == {"blockatm", "pulse2pay"}
    assert any(_first(kind, name) > _first(PAID, name) for kind, name in _pending())
    late = [each for each in SOLD if each.place and each.number > _first(*each.effect)]
    assert late


def _pending() -> set[tuple[str, str]]:
    return {each.effect for each in SOLD if each.order.type == "payment.pending"}


def _first(kind: str, name: str) -> int:
    return min(each.number for each in SOLD if each.effect == (kind, name))


def test_each_order_is_placed_once_and_paid() -> None:
    placed = Counter(each.order.reference for each in SOLD if each.place)
    assert set(placed.values()) == {1}
    assert placed.keys() == DUE.paid.keys() == DUE.orders
    assert {kind for kind, _ in DUE.messages} == {PAID, PAID_OUT}


def test_only_accepted_deliveries_are_due() -> None:
    assert Due.of(SOLD[:0]).events == frozenset()


def test_exact_sinks_are_clean() -> None:
    assert judged(DUE, exact()).clean


LOST: Mapping[str, Mapping[str, Any]] = {
    "an event": {"events": {key: 1 for key in DUE.events if key != (PAID, PAID_NAME)}},
    "a cent": {"paid": {**exact().paid, PAID_NAME: -DUE.paid[PAID_NAME] + CENT}},
    "a sale": {"orders": {**exact().orders, PAID_NAME: "new"}},
    "a message": {"messages": {key: 1 for key in DUE.messages if key != (PAID, PAID_NAME)}},
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_missing_is_lost(what: str) -> None:
    assert judged(DUE, replace(exact(), **LOST[what])).lost == {PAID_NAME}


DOUBLED: Mapping[str, Mapping[str, Any]] = {
    "an event": {"events": {**exact().events, (PAID_OUT, PAID_OUT_NAME): 2}},
    "money": {"paid_out": {**DUE.paid_out, PAID_OUT_NAME: 2 * DUE.paid_out[PAID_OUT_NAME]}},
    "a message": {"messages": {**exact().messages, (PAID_OUT, PAID_OUT_NAME): 2}},
}


@pytest.mark.parametrize("what", DOUBLED)
def test_what_is_there_twice_is_doubled(what: str) -> None:
    assert judged(DUE, replace(exact(), **DOUBLED[what])).doubled == {PAID_OUT_NAME}


WRONG: Mapping[str, Mapping[str, Any]] = {
    "dead letters": {"left": {"dead letters": 1}},
    "articles sold": {"stock": {**DUE.stock, "mug": 0}},
    "articles reserved": {"reserved": 1},
    "articles oversold": {"oversold": 2},
    "messages received": {"received": 1},
    "events that were never sent": {"events": {**exact().events, (PAID, "unknown"): 1}},
    "ledger applied": {"applied": {**DUE.applied, "ledger": DUE.applied["ledger"] + 1}},
}


@pytest.mark.parametrize("what", WRONG)
def test_anything_else_is_named(what: str) -> None:
    verdict = judged(DUE, replace(exact(), **WRONG[what]))
    assert not verdict.clean
    (line,) = verdict.wrong
    assert line.startswith(what)


def test_a_fault_takes_as_long_as_the_slowest_delivery_first_sent_under_it() -> None:
    plan = [
        Fault(0, 0, "edge killed", "edge-0", 0),
        Fault(1, 5, "broker killed", "broker-0", 0, joins=True),
        Fault(2, 10, "consumer killed", "ledger-0", 0),
    ]
    made = made_of(plan, [(0, 1.0), (7, 4.0), (9, 3.0), (10, 2.0)])
    assert [(each.fault.number, each.seconds) for each in made] == [(0, 4.0), (1, 4.0), (2, 2.0)]


def test_an_order_counts_for_the_fault_under_which_it_was_first_delivered() -> None:
    order = SOLD[0].order
    every = [Sold(4, "blockatm", order), Sold(7, "blockatm", order)]
    plan = [Fault(0, 0, "edge killed", "edge-0", 0), Fault(1, 6, "broker killed", "broker-0", 0)]
    names = frozenset({order.reference})
    assert by_kind(every, plan, names) == {"edge killed": 1}
    assert by_kind(every, [], names) == {NO_FAULT: 1}
