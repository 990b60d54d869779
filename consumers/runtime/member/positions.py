"""The assigned partitions of this process and their states, changed only by events.

The loop positions partitions by the fence. The assignment callback only records
them and returns: a seek inside it would come after the first records, its
exceptions are swallowed, and a slow callback gets the member evicted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.member.halts import Halt
from consumers.runtime.member.partition import (
    Assigned,
    CaughtUp,
    Delayed,
    Dropped,
    Due,
    Halted,
    PartitionEvent,
    PartitionState,
    Placed,
    Revoked,
    Unplaced,
    Waiting,
    transition,
)
from consumers.runtime.records import Partition

_State = TypeVar("_State", Unplaced, Waiting, Placed, Halted)


@dataclass
class Positions:
    """State of each assigned partition."""

    states: dict[Partition, Unplaced | Waiting | Placed | Halted] = field(default_factory=dict)

    def send(self, partition: Partition, event: PartitionEvent) -> None:
        """Apply an event to a partition; an unassigned one stays unassigned."""
        self._set(partition, transition(self.states.get(partition), event))

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Replace the assignment; all partitions start unplaced."""
        self.revoke()
        for partition in partitions:
            self.send(partition, Assigned())

    def revoke(self) -> None:
        """Drop the assignment."""
        for partition in list(self.states):
            self.send(partition, Revoked())

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Unplace partitions, so that they are placed again; fetched records are not used."""
        for partition in list(partitions):
            self.send(partition, Dropped())

    def catch_up(self, ends: Mapping[Partition, int | None]) -> None:
        """Mark partitions that have reached the ends of their logs."""
        for partition, place in self.placed.items():
            end = ends.get(partition)
            if end is not None and place.compare is None and end <= place.fence.next_offset:
                self.send(partition, CaughtUp())

    def delay(self, partition: Partition, due: float, problem: str | None = None) -> None:
        """Retry a partition at time `due` (monotonic)."""
        self.send(partition, Delayed(due, problem))

    def wake(self, now: float) -> None:
        """End the waits that are due at `now` (monotonic)."""
        for partition, waiting in self.waiting.items():
            if waiting.due <= now:
                self.send(partition, Due())

    @property
    def assigned(self) -> set[Partition]:
        """Every assigned partition, halted ones included."""
        return set(self.states)

    @property
    def unplaced(self) -> Mapping[Partition, Unplaced]:
        """Partitions to place now."""
        return self._of(Unplaced)

    @property
    def waiting(self) -> Mapping[Partition, Waiting]:
        """Partitions to place later."""
        return self._of(Waiting)

    @property
    def placed(self) -> Mapping[Partition, Placed]:
        """Partitions being read."""
        return self._of(Placed)

    @property
    def halted(self) -> Mapping[Partition, Halted]:
        """Partitions stopped until an operator acts."""
        return self._of(Halted)

    @property
    def unpositioned(self) -> set[Partition]:
        """Partitions to place, now or later."""
        return self.unplaced.keys() | self.waiting.keys()

    @property
    def halts(self) -> list[Halt]:
        """Halts of all halted partitions."""
        return [state.halt for state in self.halted.values()]

    @property
    def problems(self) -> list[str]:
        """Why partitions wait, one line each; a single line if all wait for the same reason."""
        waiting = [(p, each.problem) for p, each in sorted(self.waiting.items()) if each.problem]
        same = {problem for _, problem in waiting}
        if len(same) == 1 and len(waiting) == len(self.unpositioned) > 1:
            return list(same)
        return [f"{partition}: {problem}" for partition, problem in waiting]

    @property
    def fences(self) -> dict[Partition, Fence]:
        """Fence of each assigned partition, as far as known."""
        return {
            partition: state.fence
            for partition, state in self.states.items()
            if state.fence is not None
        }

    def tries(self, partition: Partition) -> int:
        """Return how often a partition has waited since its last progress."""
        state = self.states.get(partition)
        return 0 if state is None or isinstance(state, Halted) else state.tries

    def _of(self, kind: type[_State]) -> dict[Partition, _State]:
        return {p: state for p, state in self.states.items() if isinstance(state, kind)}

    def _set(self, partition: Partition, state: PartitionState) -> None:
        if state is None:
            self.states.pop(partition, None)
        else:
            self.states[partition] = state
