"""A message takes only the steps of its table, and gets one answer at most."""

from hypothesis import given
from hypothesis import strategies as st

from router.edge.http.message_state import AFTER, ARRIVING, MessageChange, MessageState
from tests.parts.examples import examples


def test_every_state_has_a_row_and_can_be_reached() -> None:
    reached = {state for row in AFTER.values() for state in row.values()}

    assert set(AFTER) == set(MessageState) == reached


def test_a_connection_may_end_in_every_state() -> None:
    assert {row[MessageChange.ENDED] for row in AFTER.values()} == {MessageState.NONE}


def test_only_a_held_message_that_is_complete_is_handled_without_the_application() -> None:
    handled = [state for state, row in AFTER.items() if MessageChange.HANDLED in row]
    before = {
        (state, change)
        for state, row in AFTER.items()
        for change, after in row.items()
        if after is MessageState.WHOLE
    }

    assert handled == [MessageState.WHOLE]
    assert before == {(MessageState.HELD, MessageChange.COMPLETE)}


@examples(200)
@given(st.data())
def test_a_message_is_given_to_the_application_or_handled_once_at_most(data: st.DataObject) -> None:
    state, given_away = MessageState.NONE, 0
    for _ in range(12):
        change = data.draw(st.sampled_from(sorted(AFTER[state])))
        if change is MessageChange.BEGUN:
            given_away = 0
        given_away += change in {MessageChange.GIVEN, MessageChange.HANDLED, MessageChange.SHED}
        state = AFTER[state][change]

        assert given_away <= 1
        # A message that has an answer, or will get one, is never held.
        assert not (given_away and state in {MessageState.HELD, MessageState.WHOLE})
        assert (state in ARRIVING) is (state not in {MessageState.NONE, MessageState.WHOLE})
