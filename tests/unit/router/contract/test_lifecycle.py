"""How a status may move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.event import EventType
from router.contract.lifecycle import STATUSES, advance, contradicts_paid, is_paid

_ANY = st.sampled_from(sorted(STATUSES))
_PAID = ["confirmed", "overpaid"]
_LATE = ["pending", "underpaid", "failed", "expired", "cancelled"]


def _after(words: list[str], start: str | None = None) -> str | None:
    status = start
    for word in words:
        status = advance(status, word) or status
    return status


def test_the_table_knows_every_status_of_every_type() -> None:
    assert {word.status for word in EventType} == STATUSES


@given(st.none() | _ANY, _ANY)
def test_every_pair_has_an_answer_which_is_the_incoming_status_or_none(
    current: str | None, incoming: str
) -> None:
    assert advance(current, incoming) in {incoming, None}


@given(_ANY)
def test_the_first_status_always_counts_and_its_repetition_never_does(status: str) -> None:
    assert advance(None, status) == status
    assert advance(status, status) is None


@pytest.mark.parametrize("paid", _PAID)
@pytest.mark.parametrize("late", _LATE)
def test_what_comes_late_never_changes_what_is_paid(paid: str, late: str) -> None:
    assert is_paid(paid)
    assert advance(paid, late) is None


@given(st.lists(_ANY), st.sampled_from(_PAID), st.lists(st.sampled_from(_LATE)))
def test_paid_is_reached_and_kept_whatever_came_before_and_comes_late(
    before: list[str], paid: str, late: list[str]
) -> None:
    taken_back = {"refunded", "disputed", "returned"} & set(before)

    status = _after([*before, paid, *late])

    assert status is not None
    assert taken_back or is_paid(status)


@given(st.permutations(["pending", "confirmed", "failed", "expired", "cancelled", "underpaid"]))
def test_in_whatever_order_they_come_the_payment_ends_paid(words: list[str]) -> None:
    assert _after(words) == "confirmed"


@given(st.lists(_ANY), _ANY)
def test_a_redelivery_changes_nothing_once_it_was_applied(words: list[str], word: str) -> None:
    once = _after([*words, word])

    assert once == _after([*words, word, word])


@pytest.mark.parametrize("unpaid", ["failed", "expired", "cancelled", "underpaid"])
@pytest.mark.parametrize("paid", _PAID)
def test_what_was_called_off_may_still_be_paid(unpaid: str, paid: str) -> None:
    assert advance(unpaid, paid) == paid
    assert advance(unpaid, "pending") is None


@pytest.mark.parametrize("back", ["refunded", "disputed", "returned"])
@pytest.mark.parametrize("paid", _PAID)
def test_paid_money_may_be_taken_back_and_then_stays_so(paid: str, back: str) -> None:
    assert advance(paid, back) == back
    assert advance(back, paid) is None
    assert not is_paid(back)


def test_more_money_makes_a_confirmed_payment_overpaid_and_not_back() -> None:
    assert advance("confirmed", "overpaid") == "overpaid"
    assert advance("overpaid", "confirmed") is None


def test_a_subscription_may_be_renewed_and_expire_in_turn() -> None:
    assert _after(["renewed", "expired", "renewed"]) == "renewed"


@pytest.mark.parametrize(("current", "incoming"), [("paid", "pending"), (None, "paid")])
def test_a_word_outside_the_table_is_an_error(current: str | None, incoming: str) -> None:
    with pytest.raises(KeyError, match="paid"):
        advance(current, incoming)


@given(st.none() | _ANY, _ANY)
def test_a_person_looks_where_paid_is_called_off_which_has_no_effect(
    current: str | None, incoming: str
) -> None:
    looked_at = contradicts_paid(current, incoming)

    assert looked_at == (current in _PAID and incoming in set(_LATE) - {"pending"})
    assert not (looked_at and advance(current, incoming))
