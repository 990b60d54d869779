"""States of a slot: the place of one worker process and its successors, as a transition table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class SlotState(StrEnum):
    """What a slot's process does."""

    STARTING = "starting"
    """Its first process has not reported yet that it takes deliveries."""
    RUNNING = "running"
    """Its process takes deliveries."""
    BACKING_OFF = "backing_off"
    """Its process has ended by itself; the next one starts after a pause."""
    RESTARTING = "restarting"
    """A successor has not reported yet that it takes deliveries."""
    STOPPING = "stopping"
    """Its process has been signalled to stop and answers its open deliveries."""
    ENDED = "ended"
    """It was stopped, and no process is left."""
    FAILED = "failed"
    """Its first process ended before it took deliveries, so the edge does not start."""


class SlotEvent(StrEnum):
    """What happens to a slot."""

    SERVING = "serving"
    """The process reports that it takes deliveries."""
    EXITED = "exited"
    """The process has ended."""
    DUE = "due"
    """The pause is over."""
    STOP = "stop"
    """The edge stops."""


_S, _E = SlotState, SlotEvent

TRANSITIONS: Final[Mapping[SlotState, Mapping[SlotEvent, SlotState]]] = {
    _S.STARTING: {_E.SERVING: _S.RUNNING, _E.EXITED: _S.FAILED, _E.STOP: _S.STOPPING},
    _S.RUNNING: {_E.EXITED: _S.BACKING_OFF, _E.STOP: _S.STOPPING},
    _S.BACKING_OFF: {_E.DUE: _S.RESTARTING, _E.STOP: _S.ENDED},
    _S.RESTARTING: {_E.SERVING: _S.RUNNING, _E.EXITED: _S.BACKING_OFF, _E.STOP: _S.STOPPING},
    # A process may report that it serves just after the signal to stop.
    _S.STOPPING: {_E.SERVING: _S.STOPPING, _E.EXITED: _S.ENDED, _E.STOP: _S.STOPPING},
    _S.ENDED: {_E.STOP: _S.ENDED},
    _S.FAILED: {_E.STOP: _S.FAILED},
}

WITH_PROCESS: Final = frozenset({_S.STARTING, _S.RUNNING, _S.RESTARTING, _S.STOPPING})
"""States in which the slot has a process."""


class ImpossibleStep(Exception):  # noqa: N818 - names what it is
    """An event that cannot happen in a state: a bug of the parent."""


def after(state: SlotState, event: SlotEvent) -> SlotState:
    """Return the state after an event. Raises ImpossibleStep."""
    following = TRANSITIONS[state].get(event)
    if following is None:
        message = f"{event} cannot happen to a slot that is {state}"
        raise ImpossibleStep(message)
    return following
