"""States of a record: the table, and that every record can come to an end."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.edge.publishing.record_state import (
    AFTER,
    FINAL,
    TO_SEND,
    WITH_PRODUCER,
    RecordChange,
    RecordState,
)

CHANGES = st.sampled_from(RecordChange)
RESULTS = (
    RecordChange.ACKNOWLEDGED,
    RecordChange.PRODUCER_FAILED,
    RecordChange.BATCH_REFUSED,
    RecordChange.REFUSED,
)


def test_every_state_is_to_send_or_with_a_producer_or_final() -> None:
    kinds = [TO_SEND, WITH_PRODUCER, FINAL]

    assert sorted(state for kind in kinds for state in kind) == sorted(RecordState)
    assert AFTER.keys() == set(RecordState) - FINAL


@pytest.mark.parametrize("state", sorted(WITH_PRODUCER))
def test_record_with_a_producer_takes_every_result(state: RecordState) -> None:
    assert AFTER[state].keys() >= set(RESULTS)
    assert RecordChange.HANDED_OVER not in AFTER[state]


@pytest.mark.parametrize("state", sorted(TO_SEND))
def test_only_a_record_with_a_producer_can_be_acknowledged(state: RecordState) -> None:
    assert RecordChange.ACKNOWLEDGED not in AFTER[state]
    assert AFTER[state][RecordChange.HANDED_OVER] in WITH_PRODUCER


@given(st.lists(CHANGES))
def test_record_given_up_is_never_kept_or_sent_again(changes: Sequence[RecordChange]) -> None:
    state, given_up = RecordState.WAITING, False
    for change in changes:
        following = AFTER.get(state, {})
        if change in following:
            state = following[change]
            given_up = given_up or change is RecordChange.GIVEN_UP

    assert given_up == (state in {RecordState.ABANDONED, RecordState.DROPPED})


@given(st.lists(CHANGES))
def test_record_refused_with_its_batch_is_not_sent_with_others_again(
    changes: Sequence[RecordChange],
) -> None:
    state, refused = RecordState.WAITING, False
    for change in changes:
        state_before, following = state, AFTER.get(state, {})
        if change in following:
            state = following[change]
            refused = refused or change is RecordChange.BATCH_REFUSED
            assert not (refused and state is RecordState.HELD), state_before


@pytest.mark.parametrize("state", sorted(AFTER))
def test_every_state_leads_to_an_end(state: RecordState) -> None:
    reached = {state}
    while True:
        following = {after for each in reached for after in AFTER.get(each, {}).values()}
        if following <= reached:
            break
        reached |= following

    assert reached & FINAL
