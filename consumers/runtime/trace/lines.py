"""Converts a trace to lines with a group and a time, for the screen and for JSON."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from consumers.runtime.fate import Fate
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.held import HeldRecord, ReceivedEvent
from consumers.runtime.trace.kept_scan import FoundDelivery
from consumers.runtime.trail import TrailStep
from router.contract.quarantine import Quarantined, Replayed
from router.contract.refused import Refused

DELIVERIES, EVENTS, HELD = "deliveries", "events", "held"

REFUSED = "refused"
"""Text for a delivery that was not verified."""

_TITLES = {"ledger": "books", "inventory": "stock", "notifications": "messages"}
"""Headings for the consumers that come with payrouter."""

_APART = {"delivered": DELIVERIES, "recorded": EVENTS}
"""Steps that describe the input of a consumer, not its work."""


@dataclass(frozen=True)
class TraceLine:
    """One thing that happened, and the part that recorded it."""

    at: datetime
    group: str
    by: str
    what: str
    event_id: UUID | None = None
    order: tuple[str, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    trouble: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the JSON form."""
        order = None if self.order is None else dict(zip(_ORDER, self.order, strict=True))
        return {
            "at": self.at.isoformat(),
            "group": self.group,
            "by": self.by,
            "what": self.what,
            "event_id": None if self.event_id is None else str(self.event_id),
            "order": order,
            "facts": dict(self.facts),
            "trouble": self.trouble,
        }


_ORDER = ("account", "reference")


def lines_of(trace: Trace) -> Sequence[TraceLine]:
    """Return the lines of a trace, by group, then by time."""
    replayed = trace.quarantined.replayed
    lines = [_quarantined(each, replayed.get(each.kept.id)) for each in trace.quarantined.found]
    lines += [_kept(REFUSED, each) for each in trace.refused.found]
    for name, answer in trace.answers.items():
        lines += [_step(name, step) for step in answer.steps]
        lines += _received(name, answer.steps, answer.received)
        lines += [_held(name, record, answer.decided) for record in answer.held]
    titles = [_title(name) for name in sorted(trace.answers, key=_rank)]
    groups = [DELIVERIES, EVENTS, *titles, HELD]
    return sorted(lines, key=lambda line: (groups.index(line.group), line.at))


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def _rank(name: str) -> tuple[int, str]:
    known = list(_TITLES)
    return (known.index(name) if name in known else len(known), name)


def _step(name: str, step: TrailStep) -> TraceLine:
    group = _APART.get(step.what, _title(name))
    return TraceLine(
        step.at, group, name, step.what, step.event_id, step.order, step.facts, step.trouble
    )


def _received(
    name: str, steps: Iterable[TrailStep], received: Iterable[ReceivedEvent]
) -> Iterable[TraceLine]:
    """Yield the received events, except those whose offset is in a step already."""
    in_steps = {step.event_id for step in steps if "offset" in step.facts}
    for each in received:
        if each.event_id not in in_steps:
            place = {} if each.offset is None else {"offset": _place(each)}
            yield TraceLine(
                each.at, EVENTS, name, f"received by {name}", each.event_id, facts=place
            )


def _held(name: str, record: HeldRecord, decided: Collection[int]) -> TraceLine:
    facts = {
        "number": str(record.id),
        "offset": _place(record),
        "type": record.event.type.value if record.event is not None else None,
        "reason": record.reason,
        "tries": str(record.attempts),
        "error": record.error,
        "next try": record.due_at.isoformat() if record.state == Fate.PARKED else None,
        "ended": record.ended_at.isoformat() if record.ended_at is not None else None,
        "outcome": record.outcome,
    }
    known = {key: fact for key, fact in facts.items() if fact}
    words: dict[str, str] = {Fate.DEAD: f"dead in {name}", Fate.PARKED: f"parked in {name}"}
    what = words.get(record.state, f"was held in {name}")
    at, event_id = record.first_failed_at, record.event_id
    trouble = record.waits and record.id not in decided
    return TraceLine(at, HELD, name, what, event_id, record.order, known, trouble)


def _quarantined(found: FoundDelivery[Quarantined], replayed: Replayed | None) -> TraceLine:
    line = _kept("quarantined", found)
    if replayed is None:
        return line
    when = f"{replayed.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} by {replayed.by}"
    return replace(line, facts={**line.facts, "replayed": when}, trouble=False)


def _kept(what: str, found: FoundDelivery[Quarantined] | FoundDelivery[Refused]) -> TraceLine:
    kept = found.kept
    facts = {
        "reason": kept.reason,
        "detail": kept.detail,
        "endpoint": kept.endpoint,
        "gateway": kept.provider,
        "account": kept.account,
        **({"source": kept.source} if isinstance(kept, Refused) else {}),
        "offset": f"{found.partition}@{found.offset}",
        "id": str(kept.id),
    }
    return TraceLine(kept.received_at, DELIVERIES, "edge", what, facts=facts, trouble=True)


def _place(record: ReceivedEvent | HeldRecord) -> str:
    return f"{record.topic}-{record.partition}@{record.offset}"
