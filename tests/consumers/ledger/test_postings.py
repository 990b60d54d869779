"""What is booked for which story, whatever the order it is told in."""

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.position import Position, absorb, opened
from consumers.ledger.postings import Books, Place, difference, exact, implied
from router.contract.event import Event
from tests.consumers.ledger.told import by_name, told

LARGEST = "99999999999999999999.999999999999999999"


def booked(events: Sequence[Event]) -> Books:
    return implied(reduce(absorb, events, opened(events[0])))


def posted(events: Sequence[Event]) -> Books:
    """Return the sum of what each event posts, as the journal would hold it."""
    position = opened(events[0])
    sums: dict[Place, Decimal] = {}
    for event in events:
        after = absorb(position, event)
        for place, amount in difference(implied(position), implied(after)).items():
            with exact():
                sums[place] = sums.get(place, Decimal(0)) + amount
        position = after
    return {place: amount for place, amount in sums.items() if amount}


STORIES = {
    "confirmed": (
        [told("payment.confirmed", "100.50")],
        {"wallet:Ethereum USDT": "100.50", "payments USDT": "-100.50"},
    ),
    "pending then confirmed": (
        [told("payment.pending", "100"), told("payment.confirmed", "100")],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "pending alone": ([told("payment.pending", "100")], {}),
    "confirmed without an amount": ([told("payment.confirmed", fee="1", fee_currency="X")], {}),
    "underpaid": (
        [told("payment.underpaid", "80")],
        {"wallet:Ethereum USDT": "80", "suspense USDT": "-80"},
    ),
    "underpaid then completed": (
        [told("payment.underpaid", "80"), told("payment.confirmed", "100")],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "underpaid then accepted without a word on the amount": (
        [told("payment.underpaid", "80"), told("payment.confirmed")],
        {"wallet:Ethereum USDT": "80", "payments USDT": "-80"},
    ),
    "overpaid, the price known": (
        [told("payment.overpaid", "120", expected_amount="100", expected_currency="USDT")],
        {"wallet:Ethereum USDT": "120", "payments USDT": "-100", "suspense USDT": "-20"},
    ),
    "overpaid, the price in another currency": (
        [told("payment.overpaid", "120", expected_amount="100", expected_currency="USD")],
        {"wallet:Ethereum USDT": "120", "payments USDT": "-120"},
    ),
    "confirmed below the price, which the gateway tolerates": (
        [told("payment.confirmed", "99", expected_amount="100", expected_currency="USDT")],
        {"wallet:Ethereum USDT": "99", "payments USDT": "-99"},
    ),
    "resent with a higher total": (
        [told("payment.confirmed", "100"), told("payment.overpaid", "120")],
        {"wallet:Ethereum USDT": "120", "payments USDT": "-120"},
    ),
    "confirmed with fee and gas": (
        [
            told(
                "payment.confirmed",
                "100",
                fee="1.5",
                fee_currency="USDT",
                gas="0.002",
                gas_currency="ETH",
            )
        ],
        {
            "wallet:Ethereum USDT": "98.5",
            "payments USDT": "-100",
            "fees USDT": "1.5",
            "gas ETH": "0.002",
            "wallet:Ethereum ETH": "-0.002",
        },
    ),
    "expired then paid": (
        [told("payment.expired"), told("payment.confirmed", "100")],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "failed after paid": (
        [told("payment.confirmed", "100"), told("payment.failed", "100")],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "refunded in part": (
        [told("payment.confirmed", "100"), told("payment.refunded", "30")],
        {"wallet:Ethereum USDT": "70", "payments USDT": "-100", "refunds USDT": "30"},
    ),
    "refunded as a whole, without an amount": (
        [told("payment.confirmed", "100"), told("payment.refunded")],
        {"payments USDT": "-100", "refunds USDT": "100"},
    ),
    "refunded in another currency": (
        [told("payment.confirmed", "100"), told("payment.refunded", "30", currency="USD")],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "refunded and never booked": ([told("payment.expired"), told("payment.refunded", "30")], {}),
    "disputed": (
        [told("payment.confirmed", "100"), told("payment.disputed", "100")],
        {"payments USDT": "-100", "disputes USDT": "100"},
    ),
    "paid out with fee and gas": (
        [
            told(
                "payout.confirmed",
                "100",
                fee="1",
                fee_currency="USDT",
                gas="2",
                gas_currency="USDT",
            )
        ],
        {
            "payouts USDT": "100",
            "wallet:Ethereum USDT": "-103",
            "fees USDT": "1",
            "gas USDT": "2",
        },
    ),
    "payout failed, gas and all": (
        [told("payout.failed", "100", gas="2", gas_currency="USDT")],
        {},
    ),
    "payout returned": (
        [told("payout.confirmed", "100"), told("payout.returned")],
        {"payouts USDT": "100", "returns USDT": "-100"},
    ),
    "the largest amounts there are": (
        [told("payment.confirmed", LARGEST, fee=LARGEST, fee_currency="USDT")],
        {"payments USDT": f"-{LARGEST}", "fees USDT": LARGEST},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story_is_booked_as_the_table_says_in_either_order(story: str) -> None:
    events, expected = STORIES[story]
    amounts = {name: Decimal(amount) for name, amount in expected.items()}
    assert by_name(booked(events)) == amounts
    assert by_name(posted(events[::-1])) == amounts


def test_a_second_currency_for_the_same_money_books_nothing_but_lets_the_status_count() -> None:
    first = [told("payment.underpaid", "80")]
    assert by_name(booked([*first, told("payment.confirmed", "70", currency="EUR")])) == {
        "wallet:Ethereum USDT": Decimal(80),
        "payments USDT": Decimal(-80),
    }


def test_a_partial_refund_told_twice_with_a_growing_total_counts_its_highest() -> None:
    events = [
        told("payment.confirmed", "100"),
        told("payment.refunded", "30"),
        told("payment.refunded", "50"),
    ]
    assert by_name(booked(events))["refunds USDT"] == Decimal(50)


def test_a_subscription_moves_no_money() -> None:
    assert booked([told("subscription.renewed", "9")]) == {}


def test_account_names_are_unambiguous_whatever_the_parts_contain() -> None:
    tricky = LedgerAccount("a:b", "c", Purpose.WALLET, "100%")
    assert tricky.name == "a%3Ab:c:wallet:100%25"
    assert tricky.id != LedgerAccount("a", "b:c", Purpose.WALLET, "100%").id


def test_arithmetic_that_would_round_raises_instead() -> None:
    with exact(), pytest.raises(ArithmeticError):
        _ = Decimal(1) / Decimal(3)


AMOUNTS = st.none() | st.decimals(0, Decimal(LARGEST), places=18) | st.sampled_from([Decimal(5)])


@st.composite
def histories(draw: st.DrawFn, family: str) -> list[Event]:
    """Draw what a gateway may tell of one payment: any statuses, one currency per kind of sum."""
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
            facts[name] = draw(AMOUNTS)
            key = name.removesuffix("_amount") + "_currency"
            facts[key] = currencies[name] if facts[name] is not None else None
        amount = draw(AMOUNTS)
        facts |= {"amount": amount, "currency": currencies[""] if amount is not None else None}
        events.append(told(f"{family}.{status}", **facts))
    return events


_SUMS = ("expected_amount", "fee", "gas")


@given(st.sampled_from(["payment", "payout"]).flatmap(histories), st.data())
def test_any_order_with_any_repeats_ends_in_the_same_books(
    history: list[Event], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=4))
    shuffled = data.draw(st.permutations([*history, *repeats]))
    assert posted(shuffled) == booked(history)


@given(st.sampled_from(["payment", "payout"]).flatmap(histories))
def test_every_books_balance_per_currency_after_each_event(history: list[Event]) -> None:
    for length in range(1, len(history) + 1):
        sums: dict[str, Decimal] = {}
        for place, amount in booked(history[:length]).items():
            with exact():
                sums[place.currency] = sums.get(place.currency, Decimal(0)) + amount
        assert not any(sums.values())


@given(st.sampled_from(["payment", "payout"]).flatmap(histories))
def test_what_is_called_off_after_paid_changes_nothing_of_the_money(history: list[Event]) -> None:
    family = history[0].type.family
    paid = [*history, told(f"{family}.confirmed", "7", currency="USDT")]
    for late in ("pending", "failed", "cancelled"):
        assert booked([*paid, told(f"{family}.{late}", "9999")]) == booked(paid)


def test_events_without_the_gateways_number_are_told_apart_by_their_order() -> None:
    def of(reference: str) -> Position:
        return opened(told("payment.confirmed", provider_reference=None, reference=reference))

    assert of("A-1").id == of("A-1").id
    assert of("A-1").id != of("A-2").id
    assert of("A-1").id != opened(told("payment.confirmed", payment="A-1")).id
