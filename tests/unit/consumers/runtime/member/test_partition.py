"""The life of a partition: its table of transitions, and what holds over every sequence of them."""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.apply.failures import HaltReason
from consumers.runtime.apply.offsets import Fence
from consumers.runtime.member import partition as life
from consumers.runtime.member.halts import Halt, what_to_do
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.partition import (
    Assigned,
    CaughtUp,
    Delayed,
    Dropped,
    Due,
    Event,
    FenceSet,
    Found,
    Halted,
    Moved,
    Placed,
    Read,
    Revoked,
    Seen,
    State,
    Stopped,
    Unplaced,
    Waiting,
    next_step,
    transition,
)
from tests.parts.examples import examples
from tests.parts.runtime.counting import PAYMENT_0

ARCHITECTURE = Path(__file__).parents[5] / "docs" / "architecture.md"
NOTHING = "not assigned"


def fence(next_offset: int) -> Fence:
    return Fence(PAYMENT_0, 0, next_offset)


HALT = Halt(PAYMENT_0, HaltReason.OTHER_LOG, "the topic was deleted and recreated")
STATES: dict[str, State] = {
    NOTHING: None,
    "Unplaced": Unplaced(fence(3), tries=2),
    "Waiting": Waiting(fence(3), 2, 7.0, "the database is read-only"),
    "Placed": Placed(fence(3), None, 3, UUID(int=1), 4, 2),
    "Halted": Halted(HALT, fence(3)),
}
EVENTS: dict[str, Event] = {
    "Assigned": Assigned(),
    "Revoked": Revoked(),
    "Found": Found(fence(3), 3),
    "Read": Read(9),
    "Moved": Moved(fence(9)),
    "CaughtUp": CaughtUp(),
    "Dropped": Dropped(),
    "Delayed": Delayed(9.0, "the log has not caught up"),
    "Due": Due(),
    "Stopped": Stopped(HALT),
    "Seen": Seen(fence(3)),
    "FenceSet": FenceSet(),
}


def name(state: State) -> str:
    return NOTHING if state is None else type(state).__name__


def documented() -> dict[tuple[str, str], str]:
    """Read the table of the architecture page: (value, event) to the next value."""
    text = ARCHITECTURE.read_text()
    (table,) = re.findall(r"^\| what happens .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    head, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.split("\n")
    ]
    return {
        (state, re.findall(r"`(\w+)`", row[0])[0]): cell
        for row in rows
        for state, cell in zip(head[1:], row[1:], strict=True)
    }


def test_the_documented_table_is_the_code() -> None:
    assert {type(each) for each in EVENTS.values()} == set(get_args(Event))
    coded = {
        (value, event): name(transition(STATES[value], EVENTS[event]))
        for value in STATES
        for event in EVENTS
    }
    assert documented() == coded


def test_every_row_of_the_table_in_code_is_reached_by_a_documented_event() -> None:
    values = {type(each) for each in STATES.values() if each is not None}
    assert {value for value, _ in life.TABLE} <= values
    assert {event for _, event in life.TABLE} <= set(get_args(Event))


def test_tries_are_counted_until_something_is_applied() -> None:
    state: State = Placed(fence(3), None, 3)
    for tries in (1, 2, 3):
        state = transition(state, Delayed(1.0, "x"))
        assert isinstance(state, Waiting)
        assert state.tries == tries
        state = transition(transition(state, Due()), Found(fence(3), 3))
    state = transition(state, Moved(fence(4)))
    assert isinstance(state, Placed)
    assert (state.tries, state.fence) == (0, fence(4))


def test_where_it_was_is_remembered_until_it_is_placed_again() -> None:
    leaving: list[Event] = [Dropped(), Delayed(1.0), Stopped(HALT), FenceSet()]
    for event in leaving:
        state = transition(Placed(fence(3), None, 3), event)
        assert state is not None
        assert state.fence == fence(3)


def test_the_first_reason_of_a_halt_stands() -> None:
    other = Halt(PAYMENT_0, HaltReason.TOO_NEW, "offset 3")
    assert transition(Halted(HALT, None), Stopped(other)) == Halted(HALT, None)


offsets = st.integers(min_value=0, max_value=50)
fences = offsets.map(fence)
reasons = st.sampled_from(HaltReason)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Assigned),
    st.builds(Revoked),
    st.builds(Found, fences, offsets),
    st.builds(Read, offsets),
    st.builds(Moved, fences),
    st.builds(CaughtUp),
    st.builds(Dropped),
    st.builds(Delayed, st.floats(0, 100), st.none() | st.just("a problem")),
    st.builds(Due),
    reasons.map(lambda reason: Stopped(Halt(PAYMENT_0, reason, "", 1))),
    st.builds(Seen, fences),
    st.builds(FenceSet),
)
POSSIBLE: dict[str, Event] = {
    "place": Found(fence(1), 1),
    "wait": Due(),
    "read": Read(2),
    "command": FenceSet(),
}
LEADS_TO = {"place": Placed, "wait": Unplaced, "read": Placed, "command": Unplaced}


@examples(120)
@given(st.lists(events, max_size=40))
def test_no_partition_is_ever_without_a_next_step(sequence: list[Event]) -> None:
    state: State = None
    assigned = False
    for event in sequence:
        state = transition(state, event)
        assigned = isinstance(event, Assigned) or (assigned and not isinstance(event, Revoked))
        step = next_step(state)
        assert (step is not None) == assigned
        if step is None:
            continue
        # Its next step can be made, and leads on; a halted one names a command.
        assert isinstance(transition(state, POSSIBLE[step]), LEADS_TO[step])
        if isinstance(state, Halted):
            assert "`payrouter " in what_to_do(state.halt, "ledger")


@examples(120)
@given(st.lists(events, max_size=40))
def test_none_is_read_before_it_is_placed_and_nothing_fetched_before_is_applied(
    sequence: list[Event],
) -> None:
    state: State = None
    placed_since_assigned = False
    for event in sequence:
        before, state = state, transition(state, event)
        if isinstance(event, Found) and isinstance(before, Unplaced):
            placed_since_assigned = True
        elif not isinstance(event, Read | Moved | CaughtUp) and state != before:
            # Whatever else changed it: nothing fetched until now is used.
            placed_since_assigned = False
            assert next_step(state) != "read"
        assert (next_step(state) == "read") <= placed_since_assigned


def test_the_loop_keeps_five_fields_and_no_state_of_a_partition() -> None:
    tree = ast.parse(inspect.getsource(Loop))
    assigned = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    declared = {each.name for each in fields(Loop)}
    assert declared == {"applier", "tuning", "report", "positions", "member"}
    assert assigned <= declared
