"""For all histories of one payment, the books balance and the order does not matter."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.position import Position, absorb, new_position
from consumers.ledger.postings import assess_all, paid_once
from router.contract.event import Event
from tests.parts.ledger.histories import histories as any_histories
from tests.parts.ledger.told import LARGEST, booked, posted, told

_SUMS = ("expected_amount", "fee", "gas")

FEES = st.none() | st.decimals(Decimal(f"-{LARGEST}"), Decimal(LARGEST), places=18)

AMOUNTS = st.none() | st.decimals(0, Decimal(LARGEST), places=18) | st.sampled_from([Decimal(5)])


@st.composite
def histories(draw: st.DrawFn, family: str) -> list[Event]:
    """Draw events of one payment: any statuses, one currency per kind of amount."""
    statuses = {
        "payment": [
            "pending",
            "underpaid",
            "confirmed",
            "overpaid",
            "failed",
            "refunded",
            "disputed",
        ],
        "payout": ["pending", "confirmed", "failed", "cancelled", "returned"],
    }[family]
    network = draw(st.sampled_from([None, "Ethereum"]))
    currencies = {name: draw(st.sampled_from(["USDT", "ETH"])) for name in ("", *_SUMS)}
    events = []
    for status in draw(st.lists(st.sampled_from(statuses), min_size=1, max_size=6)):
        facts: dict[str, Any] = {"network": draw(st.sampled_from([None, network]))}
        for name in _SUMS:
            facts[name] = draw(FEES if name == "fee" else AMOUNTS)
            key = name.removesuffix("_amount") + "_currency"
            facts[key] = currencies[name] if facts[name] is not None else None
        amount = draw(AMOUNTS)
        facts |= {"amount": amount, "currency": currencies[""] if amount is not None else None}
        facts["amount_claimed"] = draw(st.sampled_from([None, True]))
        events.append(told(f"{family}.{status}", **facts))
    return events


@given(st.sampled_from(["payment", "payout"]).flatmap(histories), st.data())
def test_any_order_with_any_repeats_gives_the_same_books(
    history: list[Event], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=4))
    shuffled = data.draw(st.permutations([*history, *repeats]))
    assert posted(shuffled) == booked(history)


@given(st.sampled_from(["payment", "payout"]).flatmap(histories))
def test_books_balance_per_currency_after_each_event(history: list[Event]) -> None:
    for length in range(1, len(history) + 1):
        sums: dict[str, Decimal] = {}
        for place, amount in booked(history[:length]).items():
            with exact():
                sums[place.currency] = sums.get(place.currency, Decimal(0)) + amount
        assert not any(sums.values())


@given(st.sampled_from(["payment", "payout"]).flatmap(histories))
def test_calling_off_a_paid_payment_does_not_change_amounts(history: list[Event]) -> None:
    family = history[0].type.family
    paid = [*history, told(f"{family}.confirmed", "7", currency="USDT")]
    for late in ("pending", "failed", "cancelled"):
        assert booked([*paid, told(f"{family}.{late}", "9999")]) == booked(paid)


def after_each(history: list[Event]) -> Iterator[Position]:
    """Return the position after each event of a history."""
    for length in range(1, len(history) + 1):
        yield reduce(absorb, history[:length], new_position(history[0]))


def test_payment_that_was_paid_once_is_assessed_alike_in_less_time() -> None:
    taken: Counter[bool] = Counter()

    @settings(max_examples=150)
    @given(st.one_of(paid(), any_histories(), histories("payment")))
    def each(history: list[Event]) -> None:
        for position in after_each(history):
            once = paid_once(position)
            taken[once is not None] += 1
            if once is not None:
                whole = assess_all(position)
                assert once == whole
                # The lines are numbered in this order.
                assert list(once.amounts.items()) == list(whole.amounts.items())

    each()
    assert min(taken[True], taken[False]) > 20


def paid() -> st.SearchStrategy[list[Event]]:
    """Draw events that report one payment, some of them on a network."""
    kinds = st.sampled_from(["pending", "confirmed", "overpaid", "expired"])
    networks = st.sampled_from([None, None, "Ethereum", "TRON"])
    amounts = st.sampled_from(["0", "10", "10.0", "20", LARGEST])
    one = st.builds(
        lambda kind, amount, network: told(f"payment.{kind}", amount, network=network),
        *(kinds, amounts, networks),
    )
    return st.lists(one, min_size=1, max_size=4)
