"""Which events change something, and so are told of."""

from collections.abc import Sequence

import pytest

from consumers.notifications.rules import CALLED_OFF
from consumers.notifications.subjects import changed, opened
from tests.parts.notifications.desk import told


def kinds_of(*types: str) -> Sequence[Sequence[str]]:
    """Return what there is to tell of each event of one payment's life."""
    subject = opened(told(types[0]))
    found = []
    for each in types:
        change, subject = changed(subject, told(each))
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
def test_what_changes_a_payment_is_told_and_what_comes_late_is_not(
    life: Sequence[str], expected: Sequence[Sequence[str]]
) -> None:
    assert kinds_of(*(f"payment.{status}" for status in life)) == expected


def test_every_renewal_of_a_subscription_is_told() -> None:
    life = ("renewed", "renewed", "expired", "expired", "renewed")
    expected = [["renewed"], ["renewed"], ["expired"], [], ["renewed"]]
    assert kinds_of(*(f"subscription.{status}" for status in life)) == expected


def test_payments_of_two_accounts_gateways_or_families_are_apart() -> None:
    events = [
        told("payment.confirmed"),
        told("payment.confirmed", account="shop-us"),
        told("payment.confirmed", provider="blockbee"),
        told("payout.confirmed"),
        told("payment.confirmed", provider_reference=None, reference="8210003616"),
    ]
    assert len({opened(each).id for each in events}) == len(events)
