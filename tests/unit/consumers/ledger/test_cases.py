"""Cases of typical histories, in either order of the events."""

import pytest

from consumers.ledger.cases import POSITION_KINDS, log_event
from tests.parts.ledger.told import found, recorded, told

CONFIRMED = told("payment.confirmed", "100")

STORIES = {
    "paid": ([CONFIRMED], {}),
    "paid twice in a row": ([CONFIRMED, told("payment.confirmed", "100", at=1)], {}),
    "underpaid then paid": (
        [told("payment.underpaid", "80"), told("payment.confirmed", "100")],
        {},
    ),
    "expired then paid": ([told("payment.expired"), told("payment.confirmed", "100", at=1)], {}),
    "refunded in part": ([CONFIRMED, told("payment.refunded", "30")], {}),
    "confirmed without an amount": (
        [told("payment.confirmed")],
        {"amount-unknown": {"payment": "no amount"}},
    ),
    "underpaid, then confirmed without an amount": (
        [told("payment.underpaid", "80"), told("payment.confirmed")],
        {"amount-unknown": {"payment": "no amount"}},
    ),
    "underpaid without an amount, then confirmed": ([told("payment.underpaid"), CONFIRMED], {}),
    "two refunds without amounts": (
        [
            CONFIRMED,
            told("payment.refunded", movement="r1"),
            told("payment.refunded", movement="r2"),
        ],
        {"amount-unknown": {"refund movements": "no amount: 2"}},
    ),
    "a dispute returned without an amount": (
        [CONFIRMED, told("payment.disputed", "100"), told("payment.dispute_returned")],
        {"amount-unknown": {"dispute returned": "no amount"}},
    ),
    "lowered": (
        [CONFIRMED, told("payment.confirmed", "80", at=1)],
        {"amount-lowered": {"payment": "100 USDT, later 80 USDT"}},
    ),
    "lowered, and the highest again": (
        [
            CONFIRMED,
            told("payment.confirmed", "80", at=1),
            told("payment.confirmed", "100.0", at=2),
        ],
        {},
    ),
    "lowered to what an operator recorded": (
        [
            CONFIRMED,
            told("payment.confirmed", "80", at=1),
            recorded("payment.confirmed", "80", replaces="100", at=2),
        ],
        {},
    ),
    "lowered, after an operator recorded it": (
        [
            CONFIRMED,
            recorded("payment.confirmed", "80", replaces="100", at=1),
            told("payment.confirmed", "80", at=2),
        ],
        {},
    ),
    "lowered again to less than an operator recorded": (
        [
            CONFIRMED,
            told("payment.confirmed", "80", at=1),
            recorded("payment.confirmed", "95", replaces="100", at=2),
        ],
        {},
    ),
    "seen before an operator recorded less, and reported again": (
        [
            told("payment.confirmed", "100", amount_claimed=True),
            told("payment.confirmed", "100", at=1),
            recorded("payment.confirmed", "95", replaces="100", at=2),
            told("payment.confirmed", "100", at=3),
        ],
        {},
    ),
    "a claim after an operator saw another": (
        [
            told("payment.confirmed", "100", amount_claimed=True),
            recorded("payment.confirmed", "95", replaces="100", at=1),
            told("payment.confirmed", "120", amount_claimed=True, at=2),
        ],
        {"differs-from-operator": {"payment": "operator 95 USDT, gateway 120 USDT"}},
    ),
    "a zero after an operator's amount": (
        [recorded("payment.confirmed", "95"), told("payment.confirmed", "0", at=1)],
        {"differs-from-operator": {"payment": "operator 95 USDT, gateway 0 USDT"}},
    ),
    "a zero before an operator's amount": (
        [told("payment.confirmed", "0"), recorded("payment.confirmed", "95", at=1)],
        {},
    ),
    "two statements, of which the later counts": (
        [
            CONFIRMED,
            recorded("payment.confirmed", "100", replaces="100", at=2),
            recorded("payment.confirmed", "90", at=1),
        ],
        {},
    ),
    "a claim that an operator saw": (
        [
            told("payment.confirmed", "100", amount_claimed=True),
            recorded("payment.confirmed", "95", replaces="100", at=1),
        ],
        {},
    ),
    "a claim that an operator saw, and the gateway saw otherwise": (
        [
            told("payment.confirmed", "100", amount_claimed=True),
            recorded("payment.confirmed", "95", replaces="100", at=1),
            told("payment.confirmed", "100", at=2),
        ],
        {"differs-from-operator": {"payment": "operator 95 USDT, gateway 100 USDT"}},
    ),
    "an unknown amount that an operator recorded": (
        [told("payment.confirmed"), recorded("payment.confirmed", "95", at=1)],
        {},
    ),
    "underpaid by an operator, then confirmed without an amount": (
        [recorded("payment.underpaid", "95"), told("payment.confirmed")],
        {"amount-unknown": {"payment": "no amount"}},
    ),
    "two currencies that an operator saw": (
        [
            CONFIRMED,
            told("payment.confirmed", "90", currency="EUR"),
            recorded(
                "payment.confirmed", "100", replaces="100", other_currencies={"EUR": "90"}, at=1
            ),
        ],
        {},
    ),
    "two currencies of which an operator saw one": (
        [
            CONFIRMED,
            told("payment.confirmed", "90", currency="EUR"),
            recorded("payment.confirmed", "100", replaces="100", at=1),
        ],
        {"differs-from-operator": {"payment": "operator 100 USDT, gateway 90 EUR"}},
    ),
    "another amount after an operator's": (
        [
            recorded("payment.confirmed", "95", at=1),
            told("payment.confirmed", "100", at=2),
        ],
        {"differs-from-operator": {"payment": "operator 95 USDT, gateway 100 USDT"}},
    ),
    "a lower amount after an operator's": (
        [
            CONFIRMED,
            recorded("payment.confirmed", "95", replaces="100", at=1),
            told("payment.confirmed", "80", at=2),
        ],
        {"differs-from-operator": {"payment": "operator 95 USDT, gateway 80 USDT"}},
    ),
    "one more refund than the total that an operator recorded": (
        [
            CONFIRMED,
            told("payment.refunded", movement="r1", movement_amount="30"),
            recorded("payment.refunded", "25", replaces="30", at=1),
            told("payment.refunded", movement="r2", movement_amount="10", at=2),
        ],
        {"differs-from-operator": {"refund": "operator 25 USDT, gateway 40 USDT"}},
    ),
    "a refund that differs from an operator's": (
        [
            CONFIRMED,
            told("payment.refunded", movement="r1", movement_amount="30"),
            recorded("payment.refunded", None, movement="r1", movement_amount="25", at=1),
        ],
        {"differs-from-operator": {"refund movements USDT": "differs by 5"}},
    ),
    "a refund lowered": (
        [
            CONFIRMED,
            told("payment.refunded", movement="r1", movement_amount="30"),
            told("payment.refunded", movement="r1", movement_amount="20", at=1),
        ],
        {"amount-lowered": {"refund movements USDT": "lowered by 10"}},
    ),
    "a fee lowered": (
        [
            told("payment.confirmed", "100", fee="2", fee_currency="USDT"),
            told("payment.confirmed", "100", fee="1", fee_currency="USDT", at=1),
        ],
        {"amount-lowered": {"fee of payment": "2 USDT, later 1 USDT"}},
    ),
    "less seen than claimed": (
        [told("payment.confirmed", "100", amount_claimed=True), told("payment.confirmed", "80")],
        {"claim-above-seen": {"USDT": "100 claimed, 80 seen"}},
    ),
    "seen before a claim of more": (
        [told("payment.confirmed", "80"), told("payment.confirmed", "100", amount_claimed=True)],
        {"claim-above-seen": {"USDT": "100 claimed, 80 seen"}},
    ),
    "claimed in a currency that was not seen": (
        [
            told("payment.confirmed", "100", currency="EUR", amount_claimed=True),
            told("payment.confirmed", "110"),
        ],
        {"claim-above-seen": {"EUR": "100 claimed, 0 seen"}},
    ),
    "more seen than claimed": (
        [told("payment.confirmed", "80", amount_claimed=True), CONFIRMED],
        {},
    ),
    "in two currencies": (
        [CONFIRMED, told("payment.confirmed", "90", currency="EUR", at=1)],
        {"other-currency": {"payment": "USDT counts, not 90 EUR"}},
    ),
    "a refund in two currencies": (
        [
            CONFIRMED,
            told("payment.refunded", movement="r1", movement_amount="30"),
            told("payment.refunded", movement="r1", movement_amount="28", currency="EUR", at=1),
        ],
        {"other-currency": {"refund movements EUR": "not counted: 28"}},
    ),
    "a total in another currency than a part of it": (
        [CONFIRMED, told("payment.confirmed", movement="p1", movement_amount="1", currency="BTC")],
        {"other-currency": {"payment in BTC": "total in USDT"}},
    ),
    "on two networks": (
        [CONFIRMED, told("payment.confirmed", "100", network="TRON", at=1)],
        {"other-network": {"payment": "Ethereum, TRON"}},
    ),
    "a refund on two networks": (
        [
            CONFIRMED,
            told("payment.refunded", movement="r1", movement_amount="30"),
            told("payment.refunded", movement="r1", movement_amount="30", network="TRON"),
        ],
        {"other-network": {"refund movements": "on several: 1"}},
    ),
    "more returned than paid out": (
        [told("payout.confirmed", "50"), told("payout.returned", "100")],
        {"back-exceeds-out": {"payout USDT": "50 out, 100 back"}},
    ),
    "more fees returned than charged": (
        [
            told("payment.confirmed", "100", fee="2", fee_currency="USDT"),
            told("payment.refunded", "100", fee_returned="3", fee_currency="USDT"),
        ],
        {"back-exceeds-out": {"fee USDT": "2 out, 3 back"}},
    ),
    "refunded before it was paid": (
        [told("payment.refunded", "30")],
        {"out-exceeds-in": {"USDT": "0 in, 30 out"}},
    ),
    "refunded from a claim alone": (
        [told("payment.confirmed", "20", amount_claimed=True), told("payment.refunded", "5")],
        {"out-exceeds-in": {"USDT": "0 in, 5 out"}},
    ),
    "refunded and disputed": (
        [CONFIRMED, told("payment.refunded", "100"), told("payment.disputed", "100")],
        {"out-exceeds-in": {"USDT": "100 in, 200 out"}},
    ),
    "failed after paid": (
        [CONFIRMED, told("payment.failed", "100", at=1)],
        {"called-off-after-paid": {"status": "failed"}},
    ),
    "failed and paid at the same moment": (
        [CONFIRMED, told("payment.failed")],
        {"called-off-after-paid": {"status": "failed"}},
    ),
    "underpaid, paid and failed at the same moment": (
        [told("payment.underpaid", "80"), CONFIRMED, told("payment.failed")],
        {"called-off-after-paid": {"status": "failed"}},
    ),
    "underpaid after paid": (
        [CONFIRMED, told("payment.underpaid", "100", at=1)],
        {"called-off-after-paid": {"status": "underpaid"}},
    ),
    "failed after paid, and paid again": (
        [CONFIRMED, told("payment.failed", at=1), told("payment.confirmed", "100", at=2)],
        {},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_history_has_the_cases_of_its_table_in_either_order(story: str) -> None:
    events, expected = STORIES[story]
    assert found(events) == expected
    assert found(events[::-1]) == expected


def test_every_kind_is_found_in_a_history() -> None:
    shown = {kind for _, cases in STORIES.values() for kind in cases}
    assert shown == {each.name for each in POSITION_KINDS}


def test_the_log_names_a_kind_with_underscores() -> None:
    assert log_event("called-off-after-paid") == "called_off_after_paid"
