"""The life of an assigned partition: one value, and a table of transitions.

A partition is `Unplaced` until the loop has sought it to where its fence says,
`Placed` while it is read, `Waiting` until a time at which it is tried again,
and `Halted` until a person acts. A partition that is not assigned has no
value: None. Nothing here does anything: `transition` returns the next value.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from consumers.runtime.apply.offsets import Fence, LastApplied
from consumers.runtime.member.halts import Halt
from router.broker.topics.ids import MISSING, TopicSeen


@dataclass(frozen=True)
class Unplaced:
    """To be placed: whatever was fetched of it is not used.

    `tries` counts the waits since the last progress, or since nothing was left
    to apply; `short_since` is the moment (monotonic) at which the log was first
    seen to contradict the fence.
    """

    fence: Fence | None = None
    tries: int = 0
    short_since: float | None = None


@dataclass(frozen=True)
class Waiting:
    """Tried again at `due` (monotonic), because of `problem`; None where there is none to tell."""

    fence: Fence | None
    tries: int
    due: float
    problem: str | None = None
    short_since: float | None = None


@dataclass(frozen=True)
class Placed:
    """Read from. `reads` is the next offset expected from the log.

    `compare` is the last applied record, until it was read again; `topic_id`
    and `epoch` are what the broker said of the log when it was placed.
    """

    fence: Fence
    compare: LastApplied | None
    reads: int
    topic_id: UUID | None = None
    epoch: int | None = None
    tries: int = 0

    def is_of(self, topic: TopicSeen) -> bool:
        """Tell whether this was placed in the log that a topic has now, as far as the broker tells.

        A new leader may have cut off records, and written others at their offsets.
        """
        seen = topic.partitions.get(self.fence.partition.number)
        epoch = seen.epoch if seen is not None else None
        other = None not in {topic.topic_id, self.topic_id} and topic.topic_id != self.topic_id
        new_leader = None not in {epoch, self.epoch} and epoch != self.epoch
        return topic.error != MISSING and not other and not new_leader


@dataclass(frozen=True)
class Halted:
    """Stopped until a person acts; `fence` is where it was when last seen."""

    halt: Halt
    fence: Fence | None


PartitionState = Unplaced | Waiting | Placed | Halted | None


@dataclass(frozen=True)
class Assigned:
    """The group gave the partition to this member."""


@dataclass(frozen=True)
class Revoked:
    """The group took it away, or the client is gone."""


@dataclass(frozen=True)
class Found:
    """It was sought to `offset`, as its fence says."""

    fence: Fence
    offset: int
    compare: LastApplied | None = None
    topic_id: UUID | None = None
    epoch: int | None = None


@dataclass(frozen=True)
class Read:
    """Everything below `upto` was read: records, and gaps that were explained."""

    upto: int


@dataclass(frozen=True)
class FenceAdvanced:
    """The fence was moved, with the effects, in a committed transaction."""

    fence: Fence


@dataclass(frozen=True)
class CaughtUp:
    """The last applied record was compared, and the log ends at the fence."""


@dataclass(frozen=True)
class Dropped:
    """What was fetched of it is lost, or no longer to be trusted."""


@dataclass(frozen=True)
class Delayed:
    """It cannot be placed or applied now: again at `due` (monotonic)."""

    due: float
    problem: str | None = None
    short_since: float | None = None
    fence: Fence | None = None


@dataclass(frozen=True)
class Due:
    """The time of a wait is over."""


@dataclass(frozen=True)
class Stopped:
    """Going on would skip records, or apply another log."""

    halt: Halt
    fence: Fence | None = None


@dataclass(frozen=True)
class FenceSeen:
    """The fence in the store, while the partition is halted: nobody has set it."""

    fence: Fence | None


@dataclass(frozen=True)
class FenceSet:
    """A command has set the fence."""


PartitionEvent = (
    Assigned
    | Revoked
    | Found
    | Read
    | FenceAdvanced
    | CaughtUp
    | Dropped
    | Delayed
    | Due
    | Stopped
    | FenceSeen
    | FenceSet
)


def transition(state: PartitionState, event: PartitionEvent) -> PartitionState:
    """Return the value after an event; the same one where the event does not concern it."""
    if isinstance(event, Assigned):
        return Unplaced()
    if isinstance(event, Revoked) or state is None:
        return None
    step = TRANSITIONS.get((type(state), type(event)))
    return state if step is None else step(state, event)


def next_step(state: PartitionState) -> str | None:
    """Name what happens to an assigned partition next; None where it is not assigned."""
    if state is None:
        return None
    return {Unplaced: "place", Waiting: "wait", Placed: "read", Halted: "command"}[type(state)]


def _found(state: Unplaced, event: Found) -> Placed:
    return Placed(
        event.fence, event.compare, event.offset, event.topic_id, event.epoch, state.tries
    )


def _read(state: Placed, event: Read) -> Placed:
    return replace(state, compare=None, reads=max(state.reads, event.upto))


def _moved(state: Placed, event: FenceAdvanced) -> Placed:
    # Effects were committed: what failed before does not count any longer.
    return replace(state, fence=event.fence, tries=0)


def _caught_up(state: Placed, _: CaughtUp) -> Placed:
    # Of an idle partition nothing moves: its waits of last week are no reason for a longer one.
    return replace(state, tries=0)


def _dropped(state: Placed, _: Dropped) -> Unplaced:
    return Unplaced(state.fence, state.tries)


def _delayed(state: Unplaced | Placed, event: Delayed) -> Waiting:
    fence = event.fence or state.fence
    return Waiting(fence, state.tries + 1, event.due, event.problem, event.short_since)


def _due(state: Waiting, _: Due) -> Unplaced:
    return Unplaced(state.fence, state.tries, state.short_since)


def _stopped(state: Unplaced | Waiting | Placed, event: Stopped) -> Halted:
    return Halted(event.halt, event.fence or state.fence)


def _seen(state: Halted, event: FenceSeen) -> Halted:
    return replace(state, fence=event.fence)


def _fence_set(state: Unplaced | Waiting | Placed | Halted, _: FenceSet) -> Unplaced:
    return Unplaced(state.fence)


TRANSITIONS: dict[tuple[type, type], Callable[[Any, Any], PartitionState]] = {
    (Unplaced, Found): _found,
    (Unplaced, Delayed): _delayed,
    (Unplaced, Stopped): _stopped,
    (Unplaced, FenceSet): _fence_set,
    (Waiting, Due): _due,
    (Waiting, Stopped): _stopped,
    (Waiting, FenceSet): _fence_set,
    (Placed, Read): _read,
    (Placed, FenceAdvanced): _moved,
    (Placed, CaughtUp): _caught_up,
    (Placed, Dropped): _dropped,
    (Placed, Delayed): _delayed,
    (Placed, Stopped): _stopped,
    (Placed, FenceSet): _fence_set,
    (Halted, FenceSeen): _seen,
    (Halted, FenceSet): _fence_set,
}
"""(value, event) to the next value. What is not in it changes nothing."""
