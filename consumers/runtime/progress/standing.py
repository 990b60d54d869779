"""Determines the state of a consumer on one partition from its fence, the log and its group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.measures.first_record import NOTHING
from consumers.runtime.progress.picture import Behind
from consumers.runtime.records import Partition
from consumers.runtime.store.tables import COUNTS
from router.broker.log.bounds import LogBounds

BEHIND_SECONDS = 60.0
"""Age of the next record above which a moving consumer is behind."""


class ProgressState(StrEnum):
    """States of a consumer on a partition; those that need action come first."""

    NO_LOG = "no log"
    BEYOND_END = "beyond end"
    BEFORE_START = "before start"
    BRAKED = "braked"
    NO_MEMBER = "no member"
    STUCK = "stuck"
    WITHHELD = "withheld"
    BEHIND = "behind"
    MOVING = "moving"
    IDLE = "idle"
    UNKNOWN = "?"


MEANINGS = {
    ProgressState.NO_LOG: "the broker has no such partition",
    ProgressState.BEYOND_END: (
        "the log ends before the next offset: it was recreated, or lost records"
    ),
    ProgressState.BEFORE_START: "records were deleted before they were applied",
    ProgressState.BRAKED: "many failures in a row: payrouter brake show NAME",
    ProgressState.NO_MEMBER: "no process of the consumer has the partition",
    ProgressState.STUCK: "a record waits, and nothing was applied for longer than --stuck-after",
    ProgressState.WITHHELD: "another producer's open transaction withholds the next records",
}
"""Meaning of each state that may need action."""


@dataclass(frozen=True)
class Standing:
    """Progress on one partition.

    `fence` is None if nothing was consumed yet, `bounds` is None if the log is unknown.
    `member` is None if it is unknown, and "" if no member has the partition.
    """

    cluster_id: str
    partition: Partition
    fence: FenceRow | None
    bounds: LogBounds | None
    behind: Behind
    member: str | None
    state: ProgressState
    trouble: bool = False

    @property
    def next_offset(self) -> int | None:
        """The offset to apply next; if there is no fence yet, the start of the log."""
        if self.fence is not None:
            return self.fence.next_offset
        return self.bounds.start if self.bounds is not None else None

    def as_json(self) -> dict[str, object]:
        """Return the JSON form."""
        bounds, waits = self.bounds, self.behind.since
        return {
            **self._fence_as_json(),
            "start": bounds and bounds.start,
            "stable": bounds and bounds.stable,
            "end": bounds and bounds.end,
            "lag": self.behind.records,
            "readable_lag": self.behind.readable,
            "withheld": bounds and bounds.end - bounds.stable,
            "next_record_at": None if waits in {None, NOTHING} else waits,
            "member": self.member,
            "state": self.state.value,
            "trouble": self.trouble,
        }

    def _fence_as_json(self) -> dict[str, object]:
        if self.fence is not None:
            return self.fence.as_json()
        topic, number = self.partition
        place = {"cluster_id": self.cluster_id, "topic": topic, "partition": number}
        offsets = {"first_offset": None, "next_offset": self.next_offset}
        return {**place, **offsets, **dict.fromkeys(COUNTS, 0), "updated_at": None}


@dataclass(frozen=True)
class Patience:
    """Time limits in seconds, after which a state is a problem."""

    stuck: float
    open_transaction: float


@dataclass(frozen=True)
class PartitionFacts:
    """Inputs for the state of one partition: `exists` is None if unknown."""

    fence: FenceRow | None
    exists: bool | None
    bounds: LogBounds | None
    behind: Behind
    braked: bool
    member: str | None


def state_of(facts: PartitionFacts, patience: Patience, now: float) -> tuple[ProgressState, bool]:
    """Return the state, and whether an operator has to act; `now` is Unix time."""
    state = _halted(facts) or _waiting(facts, patience, now)
    if state is ProgressState.WITHHELD:
        since = facts.behind.since
        return state, since is None or now - since > patience.open_transaction
    return state, state in MEANINGS


def _halted(facts: PartitionFacts) -> ProgressState | None:
    """Return the state if the consumer cannot read at all, otherwise None."""
    at = facts.fence.next_offset if facts.fence is not None else None
    if facts.exists is False:
        return ProgressState.NO_LOG
    if facts.bounds is not None and at is not None and at > facts.bounds.end:
        return ProgressState.BEYOND_END
    if facts.bounds is not None and at is not None and at < facts.bounds.start:
        return ProgressState.BEFORE_START
    if facts.braked:
        return ProgressState.BRAKED
    if facts.exists is None or facts.bounds is None:
        return ProgressState.UNKNOWN
    return ProgressState.NO_MEMBER if facts.member == "" else None


def _waiting(facts: PartitionFacts, patience: Patience, now: float) -> ProgressState:
    """Return the state of a consumer that can read."""
    fence, behind = facts.fence, facts.behind
    unmoved = math.inf if fence is None else now - fence.updated_at.timestamp()
    if behind.readable and behind.readable_since != NOTHING:
        waits = math.inf if behind.readable_since is None else now - behind.readable_since
        if min(waits, unmoved) > patience.stuck:
            return ProgressState.STUCK
        return (
            ProgressState.BEHIND
            if waits > BEHIND_SECONDS and fence is not None
            else ProgressState.MOVING
        )
    if facts.bounds is not None and facts.bounds.stable < facts.bounds.end:
        return ProgressState.WITHHELD
    passed = fence is not None and fence.next_offset > fence.first_offset
    return ProgressState.MOVING if passed and unmoved <= patience.stuck else ProgressState.IDLE


def in_trouble(standings: Sequence[Standing]) -> Sequence[Standing]:
    """Return the standings that need an operator."""
    return [each for each in standings if each.trouble]
