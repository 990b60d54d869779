"""Random histories of one payment or payout, for property tests."""

from typing import Any

from hypothesis import strategies as st

from router.contract.event import Event
from tests.parts.ledger.told import told

STATUSES = {
    "payment": (
        *("pending", "underpaid", "confirmed", "overpaid", "failed", "expired", "cancelled"),
        *("reversed", "refunded", "refund_failed", "disputed", "dispute_returned"),
    ),
    "payout": ("pending", "confirmed", "failed", "cancelled", "returned"),
}

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
def histories(draw: st.DrawFn, longest: int = 8) -> list[Event]:
    """Draw the events of one payment or payout, each once."""
    family = draw(st.sampled_from(["payment", "payment", "payout"]))
    return draw(st.lists(happenings(family), min_size=1, max_size=longest))
