"""Random histories of one payment or payout, for property tests."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from router.contract.event import Event
from tests.parts.ledger.told import MOMENT, recorded, told

STATUSES = {
    "payment": (
        *("pending", "underpaid", "confirmed", "overpaid", "failed", "expired", "cancelled"),
        *("reversed", "refunded", "refund_failed", "disputed", "dispute_returned"),
    ),
    "payout": ("pending", "confirmed", "failed", "cancelled", "returned"),
}

STATED = {
    "payment": (
        *("underpaid", "confirmed", "confirmed", "reversed", "refunded", "refund_failed"),
        *("disputed", "dispute_returned"),
    ),
    "payout": ("confirmed", "returned"),
}
"""Statuses that an operator states, with an amount."""

_AMOUNTS = st.sampled_from(["0", "10", "20", "30", "30.0", "70", "100"])
_CURRENCIES = st.sampled_from(["USDT", "USDT", "EUR"])
_MAYBE = st.booleans()


@st.composite
def movements(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the amounts of an event: a total, a transfer with an id, both or neither."""
    facts: dict[str, Any] = {}
    if draw(_MAYBE):
        facts["movement"] = draw(st.sampled_from(["m1", "m2"]))
        if draw(_MAYBE):
            facts["movement_amount"] = draw(_AMOUNTS)
    if draw(_MAYBE):
        facts["amount"] = draw(_AMOUNTS)
    if draw(st.sampled_from([False, False, False, True])):
        facts["amount_claimed"] = True
    return {**facts, "currency": draw(_CURRENCIES)}


@st.composite
def costs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw fee, gas, the fee that was given back, and the price."""
    facts: dict[str, Any] = {}
    for name, amounts in (
        ("fee", st.sampled_from(["0", "1", "2", "-1", "-0.5"])),
        ("fee_returned", st.sampled_from(["0", "1", "3"])),
        ("gas", st.sampled_from(["0", "0.5", "1"])),
        ("expected_amount", _AMOUNTS),
    ):
        if draw(st.sampled_from([False, False, True])):
            facts[name] = draw(amounts)
    currency = draw(_CURRENCIES)
    return {
        **facts,
        "fee_currency": currency,
        "gas_currency": currency,
        "expected_currency": currency,
    }


@st.composite
def happenings(draw: st.DrawFn, family: str) -> Event:
    """Draw one event of a payment or payout."""
    facts = {**draw(movements()), **draw(costs())}
    return told(
        f"{family}.{draw(st.sampled_from(STATUSES[family]))}",
        facts.pop("amount", None),
        network=draw(st.sampled_from([None, "Ethereum", "TRON"])),
        at=draw(st.integers(0, 3)),
        **facts,
    )


@st.composite
def statements(draw: st.DrawFn, family: str) -> Event:
    """Draw what an operator states; what is replaced may be anything, also unreported amounts."""
    facts: dict[str, Any] = {
        "currency": draw(_CURRENCIES),
        "replaces": draw(st.none() | _AMOUNTS),
        "other_currencies": draw(st.sampled_from([{}, {"EUR": "30"}, {"USDT": "100", "EUR": "0"}])),
        "network": draw(st.sampled_from([None, None, "Ethereum"])),
        "at": draw(st.integers(0, 3)),
    }
    if draw(_MAYBE):
        facts["occurred_at"] = MOMENT + timedelta(minutes=draw(st.integers(-2, 4)))
    amount, total = draw(_AMOUNTS), True
    if draw(_MAYBE):
        facts |= {"movement": draw(st.sampled_from(["m1", "m2"])), "movement_amount": amount}
        total = draw(_MAYBE)
    if draw(st.sampled_from([False, False, False, True])):
        facts |= {"fee": draw(st.sampled_from(["0", "1", "-1"])), "fee_currency": "USDT"}
    return recorded(
        f"{family}.{draw(st.sampled_from(STATED[family]))}", amount if total else None, **facts
    )


_FEW = st.sampled_from(["0", "80", "100", "100.0"])


@st.composite
def _contested(draw: st.DrawFn, kind: str) -> Event:
    """Draw what a gateway or an operator reports about one of two transfers, with few amounts."""
    movement = draw(st.sampled_from([None, None, None, "m1"]))
    amount = draw(_FEW) if draw(st.sampled_from([True, True, True, False])) else None
    facts: dict[str, Any] = {"at": draw(st.integers(0, 4)), "movement": movement}
    if amount is not None:
        facts["currency"] = draw(st.sampled_from(["USDT", "USDT", "USDT", "EUR"]))
        facts["movement_amount"] = None if movement is None else amount
    total = amount if movement is None else None
    if amount is None or draw(_MAYBE):
        facts["amount_claimed"] = draw(_MAYBE)
        return told(kind, total, **facts)
    shown = {"replaces": draw(st.none() | _FEW)}
    return recorded(kind, total, **facts, **shown, other_currencies={"EUR": draw(_FEW)})


def contested() -> st.SearchStrategy[list[Event]]:
    """Draw histories in which gateway and operator disagree about few amounts."""
    kinds = st.sampled_from(["payment.confirmed", "payment.confirmed", "payment.refunded"])
    return kinds.flatmap(lambda kind: st.lists(_contested(kind), min_size=2, max_size=6))


def histories() -> st.SearchStrategy[list[Event]]:
    """Draw histories of any events, and of few amounts that gateway and operator disagree about."""
    return st.one_of(mixed(), contested())


@st.composite
def mixed(draw: st.DrawFn, longest: int = 8) -> list[Event]:
    """Draw the events of one payment or payout, each once; an operator states some of them."""
    family = draw(st.sampled_from(["payment", "payment", "payout"]))
    either = st.one_of(happenings(family), happenings(family), statements(family))
    return draw(st.lists(either, min_size=1, max_size=longest))
