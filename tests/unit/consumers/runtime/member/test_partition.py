"""The partition's transition table, and invariants over every sequence of events."""

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
from consumers.runtime.member.halts import Halt, remedy
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.partition import (
    Assigned,
    CaughtUp,
    Delayed,
    Dropped,
    Due,
    FenceAdvanced,
    FenceSeen,
    FenceSet,
    Found,
    Halted,
    PartitionEvent,
    PartitionState,
    Placed,
    Read,
    Revoked,
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
STATES: dict[str, PartitionState] = {
    NOTHING: None,
    "Unplaced": Unplaced(fence(3), tries=2),
    "Waiting": Waiting(fence(3), 2, 7.0, "the database is read-only"),
    "Placed": Placed(fence(3), None, 3, UUID(int=1), 4, 2),
    "Halted": Halted(HALT, fence(3)),
}
EVENTS: dict[str, PartitionEvent] = {
    "Assigned": Assigned(),
    "Revoked": Revoked(),
    "Found": Found(fence(3), 3),
    "Read": Read(9),
    "FenceAdvanced": FenceAdvanced(fence(9)),
    "CaughtUp": CaughtUp(),
    "Dropped": Dropped(),
    "Delayed": Delayed(9.0, "the log has not caught up"),
    "Due": Due(),
    "Stopped": Stopped(HALT),
    "FenceSeen": FenceSeen(fence(3)),
    "FenceSet": FenceSet(),
}


def name(state: PartitionState) -> str:
    return NOTHING if state is None else type(state).__name__


def documented() -> dict[tuple[str, str], str]:
    """Read the table of the architecture page: (state, event) to the next state."""
    text = ARCHITECTURE.read_text()
    (table,) = re.findall(
        r"^\| what happens \| not assigned .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL
    )
    head, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.split("\n")
    ]
    return {
        (state, re.findall(r"`(\w+)`", row[0])[0]): cell
        for row in rows
        for state, cell in zip(head[1:], row[1:], strict=True)
    }


def test_documented_table_equals_the_code() -> None:
    assert {type(each) for each in EVENTS.values()} == set(get_args(PartitionEvent))
    coded = {
        (value, event): name(transition(STATES[value], EVENTS[event]))
        for value in STATES
        for event in EVENTS
    }
    assert documented() == coded


def test_every_transition_in_code_has_a_documented_event() -> None:
    values = {type(each) for each in STATES.values() if each is not None}
    assert {value for value, _ in life.TRANSITIONS} <= values
    assert {event for _, event in life.TRANSITIONS} <= set(get_args(PartitionEvent))


def test_tries_are_counted_until_something_is_applied() -> None:
    state: PartitionState = Placed(fence(3), None, 3)
    for tries in (1, 2, 3):
        state = transition(state, Delayed(1.0, "x"))
        assert isinstance(state, Waiting)
        assert state.tries == tries
        state = transition(transition(state, Due()), Found(fence(3), 3))
    state = transition(state, FenceAdvanced(fence(4)))
    assert isinstance(state, Placed)
    assert (state.tries, state.fence) == (0, fence(4))


def test_fence_is_remembered_until_the_partition_is_placed_again() -> None:
    leaving: list[PartitionEvent] = [Dropped(), Delayed(1.0), Stopped(HALT), FenceSet()]
    for event in leaving:
        state = transition(Placed(fence(3), None, 3), event)
        assert state is not None
        assert state.fence == fence(3)


def test_a_halt_keeps_its_first_reason() -> None:
    other = Halt(PAYMENT_0, HaltReason.TOO_NEW, "offset 3")
    assert transition(Halted(HALT, None), Stopped(other)) == Halted(HALT, None)


offsets = st.integers(min_value=0, max_value=50)
fences = offsets.map(fence)
reasons = st.sampled_from(HaltReason)
events: st.SearchStrategy[PartitionEvent] = st.one_of(
    st.builds(Assigned),
    st.builds(Revoked),
    st.builds(Found, fences, offsets),
    st.builds(Read, offsets),
    st.builds(FenceAdvanced, fences),
    st.builds(CaughtUp),
    st.builds(Dropped),
    st.builds(Delayed, st.floats(0, 100), st.none() | st.just("a problem")),
    st.builds(Due),
    reasons.map(lambda reason: Stopped(Halt(PAYMENT_0, reason, "", 1))),
    st.builds(FenceSeen, fences),
    st.builds(FenceSet),
)
POSSIBLE: dict[str, PartitionEvent] = {
    "place": Found(fence(1), 1),
    "wait": Due(),
    "read": Read(2),
    "command": FenceSet(),
}
LEADS_TO = {"place": Placed, "wait": Unplaced, "read": Placed, "command": Unplaced}


@examples(120)
@given(st.lists(events, max_size=40))
def test_every_partition_has_a_next_step(sequence: list[PartitionEvent]) -> None:
    state: PartitionState = None
    assigned = False
    for event in sequence:
        state = transition(state, event)
        assigned = isinstance(event, Assigned) or (assigned and not isinstance(event, Revoked))
        step = next_step(state)
        assert (step is not None) == assigned
        if step is None:
            continue
        # The next step is possible and leads on; a halted partition names a command.
        assert isinstance(transition(state, POSSIBLE[step]), LEADS_TO[step])
        if isinstance(state, Halted):
            assert "`payrouter " in remedy(state.halt, "ledger")


@examples(120)
@given(st.lists(events, max_size=40))
def test_no_partition_is_read_unplaced_and_no_earlier_fetch_is_applied(
    sequence: list[PartitionEvent],
) -> None:
    state: PartitionState = None
    placed_since_assigned = False
    for event in sequence:
        before, state = state, transition(state, event)
        if isinstance(event, Found) and isinstance(before, Unplaced):
            placed_since_assigned = True
        elif not isinstance(event, Read | FenceAdvanced | CaughtUp) and state != before:
            # After any other change, records fetched so far are not used.
            placed_since_assigned = False
            assert next_step(state) != "read"
        assert (next_step(state) == "read") <= placed_since_assigned


def test_loop_has_six_fields_and_no_state_of_a_partition() -> None:
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
    assert declared == {"applier", "tuning", "report", "timing", "positions", "member"}
    assert assigned <= declared
