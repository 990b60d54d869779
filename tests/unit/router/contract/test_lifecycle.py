"""Allowed status changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.event import EventType
from router.contract.lifecycle import STATUSES, advance, contradicts_paid, is_paid

_ANY = st.sampled_from(sorted(STATUSES))
_PAID = ["confirmed", "overpaid"]
_AFTER_PAID = [
    "refunded",
    "refund_failed",
    "disputed",
    "dispute_returned",
    "returned",
    "reversed",
]
_LATE = ["pending", "underpaid", "failed", "expired", "cancelled"]


def _after(words: list[str], start: str | None = None) -> str | None:
    status = start
    for word in words:
        status = advance(status, word) or status
    return status


def test_table_has_every_status_of_every_type() -> None:
    assert {word.status for word in EventType} == STATUSES


@given(st.none() | _ANY, _ANY)
def test_every_pair_returns_the_incoming_status_or_none(current: str | None, incoming: str) -> None:
    assert advance(current, incoming) in {incoming, None}


@given(_ANY)
def test_first_status_always_counts_and_its_repetition_never(status: str) -> None:
    assert advance(None, status) == status
    assert advance(status, status) is None


@pytest.mark.parametrize("paid", _PAID)
@pytest.mark.parametrize("late", _LATE)
def test_late_status_never_changes_a_paid_status(paid: str, late: str) -> None:
    assert is_paid(paid)
    assert advance(paid, late) is None


@given(st.lists(_ANY), st.sampled_from(_PAID), st.lists(st.sampled_from(_LATE)))
def test_paid_is_reached_after_any_status_and_kept_despite_late_ones(
    before: list[str], paid: str, late: list[str]
) -> None:
    taken_back = set(_AFTER_PAID) & set(before)

    status = _after([*before, paid, *late])

    assert status is not None
    assert taken_back or is_paid(status)


@given(st.permutations(["pending", "confirmed", "failed", "expired", "cancelled", "underpaid"]))
def test_payment_ends_paid_in_any_order_of_deliveries(words: list[str]) -> None:
    assert _after(words) == "confirmed"


@given(st.lists(_ANY), _ANY)
def test_a_redelivery_changes_nothing_once_it_was_applied(words: list[str], word: str) -> None:
    once = _after([*words, word])

    assert once == _after([*words, word, word])


@pytest.mark.parametrize("unpaid", ["failed", "expired", "cancelled", "underpaid"])
@pytest.mark.parametrize("paid", _PAID)
def test_failed_expired_or_cancelled_payment_may_still_be_paid(unpaid: str, paid: str) -> None:
    assert advance(unpaid, paid) == paid
    assert advance(unpaid, "pending") is None


@pytest.mark.parametrize("back", _AFTER_PAID)
@pytest.mark.parametrize("paid", _PAID)
def test_paid_money_may_be_taken_back_permanently(paid: str, back: str) -> None:
    assert advance(paid, back) == back
    assert advance(back, paid) is None
    assert not is_paid(back)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("refunded", "refund_failed"),
        ("disputed", "dispute_returned"),
        ("refund_failed", "refunded"),
        ("disputed", "refunded"),
    ],
)
def test_money_that_went_back_may_return_and_go_back_again(first: str, second: str) -> None:
    assert advance(first, second) == second


def test_confirmed_payment_may_become_overpaid_and_not_the_reverse() -> None:
    assert advance("confirmed", "overpaid") == "overpaid"
    assert advance("overpaid", "confirmed") is None


def test_a_subscription_may_be_renewed_and_expire_in_turn() -> None:
    assert _after(["renewed", "expired", "renewed"]) == "renewed"


@pytest.mark.parametrize(("current", "incoming"), [("paid", "pending"), (None, "paid")])
def test_unknown_status_is_an_error(current: str | None, incoming: str) -> None:
    with pytest.raises(KeyError, match="paid"):
        advance(current, incoming)


@given(st.none() | _ANY, _ANY)
def test_revoking_a_paid_status_is_reported_and_has_no_effect(
    current: str | None, incoming: str
) -> None:
    looked_at = contradicts_paid(current, incoming)

    assert looked_at == (current in _PAID and incoming in set(_LATE) - {"pending"})
    assert not (looked_at and advance(current, incoming))
