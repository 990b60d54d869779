"""Plans what happens to each record of a batch, before any of it is applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.runtime.apply.held import HeldReason, Hold, HoldDecision, ParkedLanes
from consumers.runtime.apply.offsets import Counts
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Undecodable, Unfetchable
from router.contract.event import Event
from router.contract.identity import FINGERPRINT, contradictions

_BEHIND = "Behind: an earlier record with the same key or event is parked"
_NEUTRAL = {HeldReason.BEHIND, HeldReason.CONFLICT}
"""Reasons that the brake counts neither as a failure nor as a success."""


@dataclass(frozen=True)
class PlannedRecord:
    """A record and its plan: `held`, or `new` if it will be applied; neither for a duplicate."""

    arrived: Arrived
    held: Hold | None
    new: bool = False


def by_topic(planned: Sequence[PlannedRecord]) -> Mapping[str, Sequence[PlannedRecord]]:
    """Group records by topic, keeping their order."""
    found: dict[str, list[PlannedRecord]] = {}
    for each in planned:
        found.setdefault(each.arrived.record.partition.topic, []).append(each)
    return found


def up_to_limits(
    planned: Sequence[PlannedRecord], limits: Mapping[str, int]
) -> Sequence[PlannedRecord]:
    """Return the first records of each topic, up to its limit; all of a topic without a limit."""
    seen: Counter[str] = Counter()
    passed = []
    for each in planned:
        topic = each.arrived.record.partition.topic
        seen[topic] += 1
        if seen[topic] <= limits.get(topic, len(planned)):
            passed.append(each)
    return passed


def hold_without_claim(
    arrived: Arrived, parked: ParkedLanes, decision: HoldDecision | None
) -> Hold | None:
    """Return the hold that is clear before claiming; None if the record should be claimed."""
    if isinstance(arrived, Unfetchable):
        return Hold(arrived, Fate.DEAD, HeldReason.UNFETCHABLE, arrived.problem, attempts=1)
    if isinstance(arrived, Undecodable):
        return Hold(arrived, Fate.DEAD, HeldReason.UNREADABLE, arrived.problem, attempts=1)
    behind = parked.lane_for(arrived)
    if behind is not None:
        parked.add(arrived, behind)
        return Hold(arrived, Fate.PARKED, HeldReason.BEHIND, _BEHIND, attempts=0, behind=behind)
    return None if decision is None else decision.hold(arrived)


def counts_as_failure(planned: PlannedRecord) -> bool | None:
    """Return whether the brake counts a record as a failure; None if it does not count."""
    reason = hold_reason(planned)
    return None if reason in _NEUTRAL else reason is not None


def hold_reason(planned: PlannedRecord) -> HeldReason | None:
    """Return the reason of a held record; None if it is not held."""
    return None if planned.held is None else planned.held.reason


def describe_hold(planned: PlannedRecord) -> str:
    """Describe a held record: partition, offset and error."""
    record = planned.arrived.record
    error = planned.held.error if planned.held is not None else ""
    return f"{record.partition} offset {record.offset}: {error}"


def conflict_hold(decoded: Decoded, known: str) -> Hold:
    """Return the hold of an event whose id was seen before with different content."""
    return Hold(decoded, Fate.DEAD, HeldReason.CONFLICT, conflict_text(decoded, known), attempts=1)


def conflict_text(decoded: Decoded, known: str) -> str:
    """Describe which fields contradict the known event, without their (private) values."""
    names = FINGERPRINT if isinstance(decoded.event, Event) else ()
    places = contradictions(known, decoded.event.fingerprint)
    fields = ", ".join(names[place] if names else f"fact {place}" for place in places)
    return f"Conflict: event {decoded.event.id} was seen before with a different {fields}"


def counts_of(fates: Sequence[Fate], passed: int) -> Counts:
    """Count the outcomes of the records among `passed` offsets."""
    counted = Counter(fates)
    return Counts(
        applied=counted[Fate.APPLIED],
        duplicate=counted[Fate.DUPLICATE],
        stale=counted[Fate.STALE],
        parked=counted[Fate.PARKED],
        dead_lettered=counted[Fate.DEAD],
        # Offsets that never had a record, which the caller has checked.
        gaps=passed - len(fates),
    )
