"""Events that change something, and so cause messages."""

from collections.abc import Sequence

import pytest

from consumers.notifications.rules import CALLED_OFF
from consumers.notifications.subjects import apply_event, new_subject
from tests.parts.notifications.desk import told


def kinds_of(*types: str) -> Sequence[Sequence[str]]:
    """Return the kinds of messages that each event of one payment causes."""
    subject = new_subject(told(types[0]))
    found = []
    for each in types:
        change, subject = apply_event(subject, told(each))
        found.append([kind.rpartition(".")[2] for kind in change.kinds])
    return found


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
    ],
)
def test_only_events_that_change_a_payment_cause_messages(
    life: Sequence[str], expected: Sequence[Sequence[str]]
) -> None:
    assert kinds_of(*(f"payment.{status}" for status in life)) == expected


def test_every_renewal_of_a_subscription_causes_a_message() -> None:
    life = ("renewed", "renewed", "expired", "expired", "renewed")
    expected = [["renewed"], ["renewed"], ["expired"], [], ["renewed"]]
    assert kinds_of(*(f"subscription.{status}" for status in life)) == expected


def test_payments_of_two_accounts_gateways_or_families_are_separate() -> None:
    events = [
        told("payment.confirmed"),
        told("payment.confirmed", account="shop-us"),
        told("payment.confirmed", provider="blockbee"),
        told("payout.confirmed"),
        told("payment.confirmed", provider_reference=None, reference="8210003616"),
    ]
    assert len({new_subject(each).id for each in events}) == len(events)
