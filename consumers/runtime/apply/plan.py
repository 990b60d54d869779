"""What is to become of each record of a batch, before anything of it is applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.runtime.apply.held import HeldReason, Hold, Queues, Verdict
from consumers.runtime.apply.offsets import Counts
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Unfetchable, Unreadable
from router.contract.event import FINGERPRINT, Event, contradictions

_BEHIND = "Behind: an earlier record of its key, or its event, is parked"
_NEUTRAL = {HeldReason.BEHIND, HeldReason.CONFLICT}
"""Neither a failure nor a success, for the brake."""


@dataclass(frozen=True)
class Planned:
    """A record, and how it is held or that its event is new; neither where it is a duplicate."""

    arrived: Arrived
    held: Hold | None
    new: bool = False


def by_topic(planned: Sequence[Planned]) -> Mapping[str, Sequence[Planned]]:
    """Sort records by their topic's name, keeping their order."""
    found: dict[str, list[Planned]] = {}
    for each in planned:
        found.setdefault(each.arrived.record.partition.topic, []).append(each)
    return found


def within(planned: Sequence[Planned], limits: Mapping[str, int]) -> Sequence[Planned]:
    """Return the records of each topic up to its limit, in their order; all where it has none."""
    seen: Counter[str] = Counter()
    passed = []
    for each in planned:
        topic = each.arrived.record.partition.topic
        seen[topic] += 1
        if seen[topic] <= limits.get(topic, len(planned)):
            passed.append(each)
    return passed


def held_at_once(arrived: Arrived, queues: Queues, verdict: Verdict | None) -> Hold | None:
    """Decide what is known before anything is claimed; None where it is to be applied."""
    if isinstance(arrived, Unfetchable):
        return Hold(arrived, Fate.DEAD, HeldReason.UNFETCHABLE, arrived.problem, attempts=1)
    if isinstance(arrived, Unreadable):
        return Hold(arrived, Fate.DEAD, HeldReason.UNREADABLE, arrived.problem, attempts=1)
    queue = queues.of(arrived)
    if queue is not None:
        queues.join(arrived, queue)
        return Hold(arrived, Fate.PARKED, HeldReason.BEHIND, _BEHIND, attempts=0, behind=queue)
    return None if verdict is None else verdict.hold(arrived)


def failed(planned: Planned) -> bool | None:
    """Tell whether a record counts as a failure for the brake; None where it does not count."""
    reason = reason_of(planned)
    return None if reason in _NEUTRAL else reason is not None


def reason_of(planned: Planned) -> HeldReason | None:
    """Return why it is held, if it is."""
    return None if planned.held is None else planned.held.reason


def why_held(planned: Planned) -> str:
    """Say which record is held and why."""
    record = planned.arrived.record
    error = planned.held.error if planned.held is not None else ""
    return f"{record.partition} offset {record.offset}: {error}"


def conflict(decoded: Decoded, known: str) -> Hold:
    """Hold an event that is known with contradicting content."""
    return Hold(decoded, Fate.DEAD, HeldReason.CONFLICT, conflict_text(decoded, known), attempts=1)


def conflict_text(decoded: Decoded, known: str) -> str:
    """Say in which fields an event contradicts what is known, whose values are nobody's."""
    names = FINGERPRINT if isinstance(decoded.event, Event) else ()
    places = contradictions(known, decoded.event.fingerprint)
    fields = ", ".join(names[place] if names else f"fact {place}" for place in places)
    return f"Conflict: event {decoded.event.id} is known with another {fields}"


def counts_of(fates: Sequence[Fate], passed: int) -> Counts:
    """Count what became of the records among so many offsets."""
    counted = Counter(fates)
    return Counts(
        applied=counted[Fate.APPLIED],
        duplicate=counted[Fate.DUPLICATE],
        stale=counted[Fate.STALE],
        parked=counted[Fate.PARKED],
        dead_lettered=counted[Fate.DEAD],
        # Offsets without a record: the caller has made sure that there never was one.
        gaps=passed - len(fates),
    )
