"""State machine of an assigned partition: states, events, and a table of transitions.

A partition is `Unplaced` until the loop has sought it to the offset given by its
fence, `Placed` while it is read, `Waiting` until a time at which it is retried,
and `Halted` until an operator acts. An unassigned partition has the state None.
There are no side effects: `transition` returns the next state.
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
    """Waiting to be placed at its fence; records fetched before are not applied.

    `tries` counts the waits since the last progress, or since there was nothing
    left to apply; `short_since` is when (monotonic) the log first contradicted the
    fence.
    """

    fence: Fence | None = None
    tries: int = 0
    short_since: float | None = None


@dataclass(frozen=True)
class Waiting:
    """Retried at `due` (monotonic), because of `problem` if there is one to report."""

    fence: Fence | None
    tries: int
    due: float
    problem: str | None = None
    short_since: float | None = None


@dataclass(frozen=True)
class Placed:
    """Being read. `reads` is the next offset expected from the log.

    `compare` is the last applied record, until it has been read again and compared;
    `topic_id` and `epoch` are those of the log when the partition was placed.
    """

    fence: Fence
    compare: LastApplied | None
    reads: int
    topic_id: UUID | None = None
    epoch: int | None = None
    tries: int = 0

    def is_of(self, topic: TopicSeen) -> bool:
        """Return whether the topic still has the log in which this was placed, as far as known.

        A new leader may have truncated records, and written others at their offsets.
        """
        seen = topic.partitions.get(self.fence.partition.number)
        epoch = seen.epoch if seen is not None else None
        other = None not in {topic.topic_id, self.topic_id} and topic.topic_id != self.topic_id
        new_leader = None not in {epoch, self.epoch} and epoch != self.epoch
        return topic.error != MISSING and not other and not new_leader


@dataclass(frozen=True)
class Halted:
    """Stopped until an operator acts; `fence` is the fence as last read."""

    halt: Halt
    fence: Fence | None


PartitionState = Unplaced | Waiting | Placed | Halted | None


@dataclass(frozen=True)
class Assigned:
    """The group assigned the partition to this member."""


@dataclass(frozen=True)
class Revoked:
    """The group revoked the partition, or the client was closed."""


@dataclass(frozen=True)
class Found:
    """The start offset was found from the fence; the client was sought to `offset`."""

    fence: Fence
    offset: int
    compare: LastApplied | None = None
    topic_id: UUID | None = None
    epoch: int | None = None


@dataclass(frozen=True)
class Read:
    """Everything below `upto` was read: records, and explained gaps."""

    upto: int


@dataclass(frozen=True)
class FenceAdvanced:
    """The fence was moved, together with the effects, in a committed transaction."""

    fence: Fence


@dataclass(frozen=True)
class CaughtUp:
    """The last applied record was compared, and the log ends at the fence."""


@dataclass(frozen=True)
class Dropped:
    """Its fetched records are lost, or can no longer be trusted."""


@dataclass(frozen=True)
class Delayed:
    """It cannot be placed or applied now; retry at `due` (monotonic)."""

    due: float
    problem: str | None = None
    short_since: float | None = None
    fence: Fence | None = None


@dataclass(frozen=True)
class Due:
    """A wait has ended."""


@dataclass(frozen=True)
class Stopped:
    """It must halt: continuing would skip records, or apply a different log."""

    halt: Halt
    fence: Fence | None = None


@dataclass(frozen=True)
class FenceSeen:
    """The stored fence was read while the partition is halted; no command has set it."""

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
    """Return the state after an event; unchanged if the table has no transition."""
    if isinstance(event, Assigned):
        return Unplaced()
    if isinstance(event, Revoked) or state is None:
        return None
    step = TRANSITIONS.get((type(state), type(event)))
    return state if step is None else step(state, event)


def next_step(state: PartitionState) -> str | None:
    """Return what happens to a partition next, as one word; None if it is not assigned."""
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
    # Effects were committed: earlier failures no longer count.
    return replace(state, fence=event.fence, tries=0)


def _caught_up(state: Placed, _: CaughtUp) -> Placed:
    # An idle partition makes no progress, but old waits must not lengthen the next one.
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
"""(state, event) to the function that returns the next state; other pairs change nothing."""
