"""What state a consumer is in on one partition, from its fence, the log and its group."""

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
"""A consumer that moves is behind where its next record is older than that."""


class State(StrEnum):
    """Where a consumer is on a partition, the reasons to act first."""

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
    State.NO_LOG: "the broker has no such partition",
    State.BEYOND_END: "the log ends before the next offset: it was recreated, or lost records",
    State.BEFORE_START: "records were deleted before they were applied",
    State.BRAKED: "many failures in a row: payrouter brake show NAME",
    State.NO_MEMBER: "no process of the consumer has the partition",
    State.STUCK: "a record waits, and nothing was applied for longer than --stuck-after",
    State.WITHHELD: "somebody's open transaction withholds what is next",
}
"""What each state that calls for somebody means."""


@dataclass(frozen=True)
class Standing:
    """One row: `fence` is None where nothing was consumed yet, `bounds` where the log is unknown.

    `member` is None where it is not known, and "" where nobody has the partition.
    """

    cluster_id: str
    partition: Partition
    fence: FenceRow | None
    bounds: LogBounds | None
    behind: Behind
    member: str | None
    state: State
    trouble: bool = False

    @property
    def next_offset(self) -> int | None:
        """The offset to apply next, where the consumer will begin if it has not yet."""
        if self.fence is not None:
            return self.fence.next_offset
        return self.bounds.start if self.bounds is not None else None

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
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
    """How long what may last, in seconds."""

    stuck: float
    open_transaction: float


@dataclass(frozen=True)
class Facts:
    """What is known of one partition: `there` is whether the broker has it, None if unknown."""

    fence: FenceRow | None
    there: bool | None
    bounds: LogBounds | None
    behind: Behind
    braked: bool
    member: str | None


def state_of(facts: Facts, patience: Patience, now: float) -> tuple[State, bool]:
    """Decide, and tell whether somebody has to act; `now` is Unix time."""
    state = _halted(facts) or _waiting(facts, patience, now)
    if state is State.WITHHELD:
        since = facts.behind.since
        return state, since is None or now - since > patience.open_transaction
    return state, state in MEANINGS


def _halted(facts: Facts) -> State | None:
    """Return what keeps the consumer from reading at all."""
    at = facts.fence.next_offset if facts.fence is not None else None
    if facts.there is False:
        return State.NO_LOG
    if facts.bounds is not None and at is not None and at > facts.bounds.end:
        return State.BEYOND_END
    if facts.bounds is not None and at is not None and at < facts.bounds.start:
        return State.BEFORE_START
    if facts.braked:
        return State.BRAKED
    if facts.there is None or facts.bounds is None:
        return State.UNKNOWN
    return State.NO_MEMBER if facts.member == "" else None


def _waiting(facts: Facts, patience: Patience, now: float) -> State:
    """Return how it reads, where it can."""
    fence, behind = facts.fence, facts.behind
    still = math.inf if fence is None else now - fence.updated_at.timestamp()
    if behind.readable and behind.readable_since != NOTHING:
        waits = math.inf if behind.readable_since is None else now - behind.readable_since
        if min(waits, still) > patience.stuck:
            return State.STUCK
        return State.BEHIND if waits > BEHIND_SECONDS and fence is not None else State.MOVING
    if facts.bounds is not None and facts.bounds.stable < facts.bounds.end:
        return State.WITHHELD
    passed = fence is not None and fence.next_offset > fence.first_offset
    return State.MOVING if passed and still <= patience.stuck else State.IDLE


def in_trouble(standings: Sequence[Standing]) -> Sequence[Standing]:
    """Return those that somebody has to look at."""
    return [each for each in standings if each.trouble]
