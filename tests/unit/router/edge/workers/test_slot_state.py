"""A slot never has two processes, starts none after it was stopped, and always comes to an end."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.edge.workers.slot import SlotLimits, pause_after
from router.edge.workers.slot_state import (
    TRANSITIONS,
    WITH_PROCESS,
    ImpossibleStep,
    SlotEvent,
    SlotState,
    after,
)
from tests.parts.source import ROOT

_FINAL = {SlotState.ENDED, SlotState.FAILED}


@dataclass
class _Slot:
    """What is true of a slot, told without its states."""

    process: bool = True
    serving: bool = False
    served_ever: bool = False
    stopped: bool = False
    failed: bool = False

    def possible(self) -> list[SlotEvent]:
        events = [SlotEvent.STOP]
        if self.process:
            events.append(SlotEvent.EXITED)
        # A report may arrive after the signal to stop.
        if self.process and (self.stopped or not self.serving):
            events.append(SlotEvent.SERVING)
        if not self.process and not self.stopped and not self.failed:
            events.append(SlotEvent.DUE)
        return events

    def happens(self, event: SlotEvent) -> None:
        match event:
            case SlotEvent.STOP:
                self.stopped = True
            case SlotEvent.SERVING:
                self.serving = True
                self.served_ever = self.served_ever or not self.stopped
            case SlotEvent.DUE:
                self.process = True
            case SlotEvent.EXITED:
                self.failed = not self.stopped and not self.served_ever
                self.process = self.serving = False

    def expected(self) -> SlotState:
        if self.failed:
            return SlotState.FAILED
        if self.stopped:
            return SlotState.STOPPING if self.process else SlotState.ENDED
        if not self.process:
            return SlotState.BACKING_OFF
        if self.serving:
            return SlotState.RUNNING
        return SlotState.RESTARTING if self.served_ever else SlotState.STARTING


@given(data=st.data(), steps=st.integers(0, 30))
def test_state_is_what_happened_to_the_slot(data: st.DataObject, steps: int) -> None:
    state, slot = SlotState.STARTING, _Slot()

    for _ in range(steps):
        event = data.draw(st.sampled_from(slot.possible()))
        state = after(state, event)
        slot.happens(event)

        assert state is slot.expected()
        assert (state in WITH_PROCESS) is slot.process


@given(data=st.data(), steps=st.integers(0, 30))
def test_every_other_event_is_a_bug(data: st.DataObject, steps: int) -> None:
    state, slot = SlotState.STARTING, _Slot()

    for _ in range(steps):
        for event in set(SlotEvent) - set(slot.possible()):
            with pytest.raises(ImpossibleStep, match=event.value):
                after(state, event)
        event = data.draw(st.sampled_from(slot.possible()))
        state = after(state, event)
        slot.happens(event)


@pytest.mark.parametrize("state", list(SlotState))
def test_a_stopped_slot_ends_with_its_process(state: SlotState) -> None:
    stopped = after(state, SlotEvent.STOP)

    ended = stopped if stopped in _FINAL else after(stopped, SlotEvent.EXITED)

    assert ended in _FINAL
    assert TRANSITIONS[ended] == {SlotEvent.STOP: ended}


def test_the_page_shows_the_transitions() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    columns = (SlotEvent.SERVING, SlotEvent.EXITED, SlotEvent.DUE, SlotEvent.STOP)
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in page.partition("\n| state | its process serves")[2].splitlines()
        if line.startswith("| `")
    ]

    shown = {row[0]: row[1:] for row in rows if row[0] in set(SlotState)}

    assert shown == {
        state.value: [TRANSITIONS[state].get(event, "") for event in columns]
        for state in SlotState
        if state not in _FINAL
    }


@pytest.mark.parametrize(
    ("early_ends", "pause"),
    [(0, 0.0), (1, 0.0), (2, 0.5), (3, 1.0), (4, 2.0), (6, 8.0), (7, 15.0), (5000, 15.0)],
)
def test_pauses_get_longer_while_processes_end_early(early_ends: int, pause: float) -> None:
    assert pause_after(early_ends, SlotLimits(stop_seconds=1)) == pause
