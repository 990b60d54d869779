"""Events that change something, and so cause messages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from consumers.notifications.changes.subjects import (
    SubjectMovement,
    apply_event,
    apply_outcome,
    new_movement,
    new_subject,
)
from consumers.notifications.outcomes import OrderOutcome
from consumers.notifications.rules import CALLED_OFF, ORDER_PAID
from router.contract.event import Event
from tests.parts.notifications.desk import told


def kinds_of(*events: Event) -> Sequence[Sequence[str]]:
    """Return the kinds of messages that each event of one payment causes."""
    subject = new_subject(events[0])
    movements: dict[UUID, SubjectMovement] = {}
    found = []
    for event in events:
        blank = new_movement(event)
        movement = blank and movements.get(blank.id, blank)
        change, subject, movement = apply_event(subject, movement, event)
        if movement is not None:
            movements[movement.id] = movement
        found.append([kind.rpartition(".")[2] for kind in change.kinds])
    return found


def refund(kind: str = "payment.refunded", movement: str = "re_1", amount: str = "30") -> Event:
    return told(kind, amount=None, movement=movement, movement_amount=amount)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        (("pending", "confirmed"), [["pending"], ["confirmed"]]),
        (("confirmed", "pending"), [["confirmed"], []]),
        (("confirmed", "confirmed"), [["confirmed"], []]),
        (("failed", "confirmed"), [["failed"], ["confirmed"]]),
        (("confirmed", "refunded", "confirmed"), [["confirmed"], ["refunded"], []]),
        (
            ("confirmed", "failed", "expired"),
            [["confirmed"], [CALLED_OFF.rpartition(".")[2]], []],
        ),
        (("refunded", "failed"), [["refunded"], []]),
        (("failed", "expired", "failed"), [["failed"], ["expired"], []]),
        (("reversed", "confirmed"), [["reversed"], []]),
        (("confirmed", "reversed"), [["confirmed"], ["reversed"]]),
        (("disputed", "dispute_returned"), [["disputed"], ["dispute_returned"]]),
    ],
)
def test_only_events_that_change_a_payment_cause_messages(
    life: Sequence[str], expected: Sequence[Sequence[str]]
) -> None:
    assert kinds_of(*(told(f"payment.{status}") for status in life)) == expected


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        # a second partial refund: another movement, or a higher total
        ([refund(), refund(movement="re_2")], [["refunded"], ["refunded"]]),
        (
            [told("payment.refunded", amount="30"), told("payment.refunded", amount="50")],
            [["refunded"], ["refunded"]],
        ),
        # the same money as a total and as an object, in both orders
        ([refund(), told("payment.refunded", amount="30")], [["refunded"], []]),
        ([told("payment.refunded", amount="30.00"), refund()], [["refunded"], []]),
        # the same money in another event type
        (
            [told("payment.underpaid", amount="30"), told("payment.confirmed", amount="30")],
            [["underpaid"], ["confirmed"]],
        ),
        (
            [told("payment.overpaid", amount="30"), told("payment.confirmed", amount="30")],
            [["overpaid"], []],
        ),
        # more money after the payment was confirmed, with a stale status
        (
            [told("payment.confirmed", amount="30"), told("payment.underpaid", amount="40")],
            [["confirmed"], ["called_off_after_paid", "confirmed"]],
        ),
        # a failed refund: after its refund, and before it
        ([refund(), refund("payment.refund_failed")], [["refunded"], ["refund_failed"]]),
        ([refund("payment.refund_failed"), refund()], [["refund_failed"], []]),
        # another refund after a failed one
        (
            [refund(), refund("payment.refund_failed"), refund(movement="re_2")],
            [["refunded"], ["refund_failed"], ["refunded"]],
        ),
        # a claim, then the money
        (
            [told("payment.confirmed", amount_claimed=True), told("payment.confirmed")],
            [["confirmed"], ["confirmed"]],
        ),
        (
            [told("payment.confirmed"), told("payment.confirmed", amount_claimed=True)],
            [["confirmed"], []],
        ),
        # money in another currency
        (
            [told("payment.confirmed"), told("payment.confirmed", currency="EUR")],
            [["confirmed"], ["confirmed"]],
        ),
    ],
)
def test_every_change_of_money_is_news_once(
    story: Sequence[Event], expected: Sequence[Sequence[str]]
) -> None:
    assert kinds_of(*story) == expected


def test_a_failure_that_is_older_than_the_payment_does_not_alert() -> None:
    late = told("payment.failed", received_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert kinds_of(told("payment.confirmed"), late) == [["confirmed"], []]


def test_a_payment_that_is_older_than_its_failure_is_an_alert() -> None:
    paid = told("payment.confirmed", received_at=datetime(2026, 1, 1, tzinfo=UTC))
    expected = [["failed"], ["called_off_after_paid", "confirmed"]]
    assert kinds_of(told("payment.failed"), paid) == expected


def test_every_renewal_of_a_subscription_causes_a_message() -> None:
    life = ("renewed", "renewed", "expired", "expired", "renewed")
    expected = [["renewed"], ["renewed"], ["expired"], [], ["renewed"]]
    assert kinds_of(*(told(f"subscription.{status}") for status in life)) == expected


def test_a_time_that_a_gateway_repeats_with_every_status_does_not_hide_an_alert() -> None:
    block = {"occurred_at": datetime(2026, 1, 1, tzinfo=UTC)}
    found = kinds_of(told("payment.confirmed", **block), told("payment.failed", **block))
    assert found == [["confirmed"], ["called_off_after_paid"]]


def test_an_expiry_that_is_older_than_the_renewal_adds_nothing() -> None:
    late = told("subscription.expired", received_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert kinds_of(told("subscription.renewed"), late) == [["renewed"], []]


def outcome(status: str, minute: int) -> OrderOutcome:
    return OrderOutcome(
        uuid4(), "shop-eu", "A-1", status, datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (["committed"], [True]),
        (["committed", "committed"], [True, False]),
        (["committed", "returned", "committed"], [True, False, True]),
        (["returned", "committed"], [False, True]),
    ],
)
def test_an_order_is_paid_once_until_its_stock_is_returned(
    story: Sequence[str], expected: Sequence[bool]
) -> None:
    outcomes = [outcome(status, minute) for minute, status in enumerate(story)]
    subject, found = new_subject(outcomes[0]), []
    for each in outcomes:
        change, subject = apply_outcome(subject, each)
        found.append(list(change.kinds) == [ORDER_PAID])
    assert found == expected


def test_payments_of_two_accounts_gateways_or_families_are_separate() -> None:
    events = [
        told("payment.confirmed"),
        told("payment.confirmed", account="shop-us"),
        told("payment.confirmed", provider="blockbee"),
        told("payout.confirmed"),
        told("payment.confirmed", provider_reference=None, reference="8210003616"),
    ]
    assert len({new_subject(each).id for each in events}) == len(events)
