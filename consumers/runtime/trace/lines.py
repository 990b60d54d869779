"""A trace as lines, each of a group and a moment: what the screen and the JSON are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from consumers.runtime.fate import Fate
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.held import HeldRecord, Taken
from consumers.runtime.trace.kept_scan import Found
from consumers.runtime.trail import TrailStep
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

DELIVERIES, EVENTS, HELD = "deliveries", "events", "held"

REFUSED = "refused"
"""What happened to a delivery that proved nothing."""

_TITLES = {"ledger": "books", "inventory": "stock", "notifications": "messages"}
"""What people call the work of the consumers that come with payrouter."""

_APART = {"delivered": DELIVERIES, "recorded": EVENTS}
"""Steps that are not about what the consumer did, but about what came to it."""


@dataclass(frozen=True)
class Line:
    """One thing that happened, and who knows of it."""

    at: datetime
    group: str
    by: str
    what: str
    event_id: UUID | None = None
    order: tuple[str, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    trouble: bool = False

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
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


def lines_of(trace: Trace) -> Sequence[Line]:
    """Return all of a trace, group by group, each by time."""
    lines = [_kept("quarantined", each) for each in trace.quarantined.found]
    lines += [_kept(REFUSED, each) for each in trace.refused.found]
    for name, answer in trace.answers.items():
        lines += [_step(name, step) for step in answer.steps]
        lines += _takings(name, answer.steps, answer.taken)
        lines += [_held(name, record) for record in answer.held]
    titles = [_title(name) for name in sorted(trace.answers, key=_rank)]
    groups = [DELIVERIES, EVENTS, *titles, HELD]
    return sorted(lines, key=lambda line: (groups.index(line.group), line.at))


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def _rank(name: str) -> tuple[int, str]:
    known = list(_TITLES)
    return (known.index(name) if name in known else len(known), name)


def _step(name: str, step: TrailStep) -> Line:
    group = _APART.get(step.what, _title(name))
    return Line(
        step.at, group, name, step.what, step.event_id, step.order, step.facts, step.trouble
    )


def _takings(name: str, steps: Iterable[TrailStep], taken: Iterable[Taken]) -> Iterable[Line]:
    """Tell where events were taken, but for those whose place a step tells already."""
    told = {step.event_id for step in steps if "offset" in step.facts}
    for each in taken:
        if each.event_id not in told:
            place = {} if each.offset is None else {"offset": _place(each)}
            yield Line(each.at, EVENTS, name, f"taken by {name}", each.event_id, facts=place)


def _held(name: str, record: HeldRecord) -> Line:
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
    return Line(at, HELD, name, what, event_id, record.order, known, trouble=record.waits)


def _kept(what: str, found: Found[Quarantined] | Found[Refused]) -> Line:
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
    return Line(kept.received_at, DELIVERIES, "edge", what, facts=facts, trouble=True)


def _place(record: Taken | HeldRecord) -> str:
    return f"{record.topic}-{record.partition}@{record.offset}"
