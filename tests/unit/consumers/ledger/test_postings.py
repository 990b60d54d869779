"""Postings of typical histories, in either order of the events."""

from decimal import Decimal

import pytest

from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.position import Position, new_position
from tests.parts.ledger.told import LARGEST, booked, by_name, posted, recorded, told

STORIES = {
    "confirmed": (
        [told("payment.confirmed", "100.50")],
        {"wallet:Ethereum USDT": "100.50", "payments USDT": "-100.50"},
    ),
    "pending then confirmed": (
        [told("payment.pending", "100"), told("payment.confirmed", "100")],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "lowered by an operator": (
        [told("payment.confirmed", "100"), recorded("payment.confirmed", "90")],
        {"wallet:Ethereum USDT": "90", "payments USDT": "-90"},
    ),
    "in another currency by an operator": (
        [told("payment.confirmed", "100"), recorded("payment.confirmed", "90", currency="EUR")],
        {"wallet:Ethereum EUR": "90", "payments EUR": "-90"},
    ),
    "a claim of which an operator saw nothing": (
        [
            told("payment.confirmed", "100", amount_claimed=True),
            recorded("payment.confirmed", "0"),
        ],
        {},
    ),
    "a claimed part of which an operator saw nothing": (
        [
            told("payment.confirmed", movement="m", movement_amount="9", amount_claimed=True),
            recorded("payment.confirmed", None, movement="m", movement_amount="0"),
        ],
        {},
    ),
    "a refund without an amount, whose total an operator recorded": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", movement="m"),
            recorded("payment.refunded", "30"),
        ],
        {"wallet:Ethereum USDT": "70", "payments USDT": "-100", "refunds USDT": "30"},
    ),
    "parts whose total an operator recorded, and one more": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", movement="m", movement_amount="30"),
            recorded("payment.refunded", "25"),
            told("payment.refunded", movement="n", movement_amount="10"),
        ],
        {"wallet:Ethereum USDT": "75", "payments USDT": "-100", "refunds USDT": "25"},
    ),
    "a part that an operator recorded": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", movement="m", movement_amount="30"),
            recorded("payment.refunded", None, movement="m", movement_amount="20"),
        ],
        {"wallet:Ethereum USDT": "80", "payments USDT": "-100", "refunds USDT": "20"},
    ),
    "a payout that never left, by an operator": (
        [told("payout.confirmed", "100"), recorded("payout.confirmed", "0")],
        {},
    ),
    "pending alone": ([told("payment.pending", "100")], {}),
    "confirmed without an amount, with a fee": (
        [told("payment.confirmed", fee="1", fee_currency="X")],
        {"fees X": "1", "wallet:Ethereum X": "-1"},
    ),
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
    "confirmed with a rebate": (
        [told("payment.confirmed", "100", fee="-0.5", fee_currency="USDT")],
        {"wallet:Ethereum USDT": "100.5", "payments USDT": "-100", "fees USDT": "-0.5"},
    ),
    "a rebate after a fee of zero": (
        [
            told("payment.confirmed", "100", fee="0", fee_currency="USDT"),
            told("payment.overpaid", "100", fee="-0.5", fee_currency="USDT"),
        ],
        {"wallet:Ethereum USDT": "100.5", "payments USDT": "-100", "fees USDT": "-0.5"},
    ),
    "a fee and a rebate of one size": (
        [
            told("payment.confirmed", "100", fee="0.5", fee_currency="USDT"),
            told("payment.overpaid", "100", fee="-0.5", fee_currency="USDT"),
        ],
        {"wallet:Ethereum USDT": "99.5", "payments USDT": "-100", "fees USDT": "0.5"},
    ),
    "a rebate of all that was paid": (
        [told("payment.confirmed", "100", fee="-100", fee_currency="USDT")],
        {"wallet:Ethereum USDT": "200", "payments USDT": "-100", "fees USDT": "-100"},
    ),
    "paid out with a rebate": (
        [told("payout.confirmed", "100", fee="-2", fee_currency="USDT")],
        {"payouts USDT": "100", "wallet:Ethereum USDT": "-98", "fees USDT": "-2"},
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
        {
            "wallet:Ethereum USDT": "100",
            "payments USDT": "-100",
            "wallet:Ethereum USD": "-30",
            "refunds USD": "30",
        },
    ),
    "refunded and never paid": (
        [told("payment.expired"), told("payment.refunded", "30")],
        {"wallet:Ethereum USDT": "-30", "refunds USDT": "30"},
    ),
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
        {"gas USDT": "2", "wallet:Ethereum USDT": "-2"},
    ),
    "claimed in part": (
        [told("payment.underpaid", "80", amount_claimed=True)],
        {"claimed USDT": "80", "suspense USDT": "-80"},
    ),
    "claimed, and seen in part": (
        [
            told("payment.confirmed", "100", amount_claimed=True),
            told("payment.underpaid", "80"),
        ],
        {"wallet:Ethereum USDT": "80", "payments USDT": "-80"},
    ),
    "claimed in one currency, seen in another, with a fee": (
        [
            told("payment.confirmed", "20", currency="USD", amount_claimed=True),
            told("payment.confirmed", "19", fee="1", fee_currency="USDT"),
        ],
        {"wallet:Ethereum USDT": "18", "payments USDT": "-19", "fees USDT": "1"},
    ),
    "claimed and refunded": (
        [told("payment.confirmed", "20", amount_claimed=True), told("payment.refunded", "5")],
        {"claimed USDT": "15", "payments USDT": "-20", "refunds USDT": "5"},
    ),
    "payout returned": (
        [told("payout.confirmed", "100"), told("payout.returned")],
        {"payouts USDT": "100", "returns USDT": "-100"},
    ),
    "two refunds with ids": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", movement="r1", movement_amount="30"),
            told("payment.refunded", movement="r2", movement_amount="30"),
        ],
        {"wallet:Ethereum USDT": "40", "payments USDT": "-100", "refunds USDT": "60"},
    ),
    "a refund reported as a total and with an id": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", "30", movement="r1", movement_amount="30"),
            told("payment.refunded", "30"),
        ],
        {"wallet:Ethereum USDT": "70", "payments USDT": "-100", "refunds USDT": "30"},
    ),
    "a refund that failed": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", movement="r1", movement_amount="30"),
            told("payment.refund_failed", movement="r1"),
        ],
        {"wallet:Ethereum USDT": "100", "payments USDT": "-100"},
    ),
    "disputed with a fee, and won": (
        [
            told("payment.confirmed", "100", fee="1", fee_currency="USDT"),
            told("payment.disputed", "100", fee="15", fee_currency="USDT"),
            told("payment.dispute_returned", "100", fee_returned="15", fee_currency="USDT"),
        ],
        {"wallet:Ethereum USDT": "99", "payments USDT": "-100", "fees USDT": "1"},
    ),
    "reversed": ([told("payment.confirmed", "100"), told("payment.reversed")], {}),
    "reversed in part": (
        [told("payment.confirmed", "100"), told("payment.reversed", "40")],
        {"wallet:Ethereum USDT": "60", "payments USDT": "-60"},
    ),
    "a refund and a dispute without amounts": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", "30", movement="r1", movement_amount="30"),
            told("payment.disputed"),
            told("payment.refunded", movement="r2"),
        ],
        {"payments USDT": "-100", "refunds USDT": "100"},
    ),
    "partial payments on two networks in two currencies": (
        [
            told("payment.underpaid", movement="p1", movement_amount="30"),
            told(
                "payment.confirmed",
                movement="p2",
                movement_amount="70",
                currency="USDC",
                network="TRON",
            ),
        ],
        {
            "wallet:Ethereum USDT": "30",
            "payments USDT": "-30",
            "wallet:TRON USDC": "70",
            "payments USDC": "-70",
        },
    ),
    "a refund that failed on the network it was sent on": (
        [
            told("payment.confirmed", "100"),
            told("payment.refunded", movement="r1", movement_amount="30", network="TRON"),
            told("payment.refund_failed", movement="r1", movement_amount="20", network=None),
        ],
        {
            "wallet:Ethereum USDT": "100",
            "wallet:TRON USDT": "-10",
            "payments USDT": "-100",
            "refunds USDT": "10",
        },
    ),
    "a payout that came back twice as much": (
        [told("payout.confirmed", "50"), told("payout.returned", "100")],
        {"payouts USDT": "50", "returns USDT": "-50"},
    ),
    "the largest amounts there are": (
        [told("payment.confirmed", LARGEST, fee=LARGEST, fee_currency="USDT")],
        {"payments USDT": f"-{LARGEST}", "fees USDT": LARGEST},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_history_is_booked_like_its_table_in_either_order(story: str) -> None:
    events, expected = STORIES[story]
    amounts = {name: Decimal(amount) for name, amount in expected.items()}
    assert by_name(booked(events)) == amounts
    assert by_name(posted(events[::-1])) == amounts


def test_the_currency_reported_first_counts_in_any_order_of_arrival() -> None:
    first = told("payment.underpaid", "80")
    later = told("payment.confirmed", "70", currency="EUR", at=1)
    expected = {"wallet:Ethereum USDT": Decimal(80), "payments USDT": Decimal(-80)}
    assert by_name(booked([first, later])) == expected
    assert by_name(posted([later, first])) == expected


def test_of_two_partial_refunds_the_higher_total_counts() -> None:
    events = [
        told("payment.confirmed", "100"),
        told("payment.refunded", "30"),
        told("payment.refunded", "50"),
    ]
    assert by_name(booked(events))["refunds USDT"] == Decimal(50)


def test_a_subscription_moves_no_money() -> None:
    assert booked([told("subscription.renewed", "9")]) == {}


def test_account_names_are_unambiguous_for_any_contents() -> None:
    tricky = LedgerAccount("a:b", "c", Purpose.WALLET, "100%")
    assert tricky.name == "a%3Ab:c:wallet:100%25"
    assert tricky.id != LedgerAccount("a", "b:c", Purpose.WALLET, "100%").id


def test_arithmetic_that_would_round_raises_instead() -> None:
    with exact(), pytest.raises(ArithmeticError):
        _ = Decimal(1) / Decimal(3)


def test_events_without_the_gateways_number_are_identified_by_their_order() -> None:
    def of(reference: str) -> Position:
        return new_position(told("payment.confirmed", provider_reference=None, reference=reference))

    assert of("A-1").id == of("A-1").id
    assert of("A-1").id != of("A-2").id
    assert of("A-1").id != new_position(told("payment.confirmed", payment="A-1")).id
