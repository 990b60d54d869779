"""Summarizes the state of a payment and the next step in one sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consumers.runtime.fate import Fate
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.held import HeldRecord
from consumers.runtime.trace.held_up import blocked_partition
from consumers.runtime.trace.lines import EVENTS, REFUSED, TraceLine

RECENT = timedelta(days=1)
"""Age limit for missing events: for older ones, a consumer may have deleted its event ids."""


@dataclass(frozen=True)
class Verdict:
    """The sentence, and whether an operator has to act."""

    words: str
    trouble: bool = False


def verdict_of(trace: Trace, lines: Sequence[TraceLine], now: datetime) -> Verdict:
    """Return the most serious problem, or the state if there is none."""
    refused = _refused(trace)
    for look in _LOOKS:
        words = look(trace, lines, now)
        if words is not None:
            return Verdict(f"{words}; {refused}" if refused else words, trouble=True)
    state = _state(lines, advice=trace.whole and not refused)
    if refused:
        known = any(line.what != REFUSED for line in lines)
        state = f"{state}, but {refused}" if known else refused
    if not trace.whole:
        state = f"as far as could be read: {state}"
    return Verdict(state, trouble=bool(refused) or not trace.whole)


def _refused(trace: Trace) -> str | None:
    """Describe the newest refused delivery that mentions the payment. It is unverified."""
    if not trace.refused.found:
        return None
    kept = max((each.kept for each in trace.refused.found), key=lambda kept: kept.received_at)
    command = f"payrouter verify {kept.provider} --refused {kept.id}"
    more = _more(trace.refused.found)
    return f"a delivery of {kept.endpoint} was refused ({kept.reason}): {command}{more}"


def _dead(trace: Trace, _lines: Sequence[TraceLine], _now: datetime) -> str | None:
    held = _held(trace, Fate.DEAD)
    if not held:
        return None
    name, record = held[-1]
    return f"dead in {name}: payrouter dlq show {name} {record.id}{_more(held)}"


def _braked(trace: Trace, _lines: Sequence[TraceLine], _now: datetime) -> str | None:
    """Describe a brake of a topic with the payment's records; notes report other brakes."""
    seen = {each.topic for answer in trace.answers.values() for each in answer.received}
    seen |= {each.topic for answer in trace.answers.values() for each in answer.held}
    for name, answer in trace.answers.items():
        # Old events are stored without their topic.
        braked = [topic for topic in answer.brakes if topic in seen or None in seen]
        if braked:
            topics = ", ".join(braked)
            return (
                f"{name} does not apply records of {topics} because of its brake:"
                f" payrouter brake show {name}"
            )
    return None


def _parked(trace: Trace, _lines: Sequence[TraceLine], _now: datetime) -> str | None:
    held = _held(trace, Fate.PARKED)
    if not held:
        return None
    name, record = held[-1]
    due = f"{record.due_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    command = f"payrouter parked list {name} --id {record.id}"
    return f"parked in {name}, next retry at {due}: {command}{_more(held)}"


def _quarantined(trace: Trace, lines: Sequence[TraceLine], _now: datetime) -> str | None:
    found = trace.quarantined.without_effect
    if not found:
        return None
    kept = max((each.kept for each in found), key=lambda kept: kept.received_at)
    events = [line for line in lines if line.group == EVENTS]
    so_far = f"{_state(lines, advice=False)}, but " if events else ""
    return (
        f"{so_far}a delivery of {kept.endpoint} is quarantined without effect"
        f" ({kept.reason}): {kept.detail}; fix the cause, then replay it:"
        f" payrouter quarantine replay --id {kept.id} --yes"
    )


def _undecided(trace: Trace, lines: Sequence[TraceLine], _now: datetime) -> str | None:
    """Describe the oldest open case; a held record's own line has come before."""
    found = trace.open_cases
    if not found:
        return None
    oldest = found[0]
    return (
        f"{_state(lines, advice=False)}, but needs an operator: {oldest.kind.name}:"
        f" payrouter cases show {oldest.id}{_more(found)}"
    )


def _wrong(trace: Trace, lines: Sequence[TraceLine], _now: datetime) -> str | None:
    """Describe a step that is trouble; a case's opening is not, since the case may be settled."""
    wrong = [
        line
        for line in lines
        if line.trouble and line.what != REFUSED and line.what.replace(" ", "-") not in trace.kinds
    ]
    if not wrong:
        return None
    last = max(wrong, key=lambda line: line.at)
    return f"{_state(lines, advice=False)}, but needs an operator: {last.by} reports {last.what}"


def _missing(trace: Trace, _lines: Sequence[TraceLine], now: datetime) -> str | None:
    received = {
        (each.event_id, each.topic)
        for answer in trace.answers.values()
        for each in answer.received
        if each.topic is not None and now - each.at < RECENT
    }
    for name, answer in trace.answers.items():
        own = {each.event_id for each in answer.received}
        own |= {record.event_id for record in answer.held if record.event_id is not None}
        missing = {topic for i, topic in received if topic in trace.topics[name] and i not in own}
        if missing:
            blocked = blocked_partition(trace.standings, name, missing)
            where = f", which is blocked on {blocked}" if blocked else ""
            return f"not received by {name} yet{where}: payrouter offsets show {name}"
    return None


_LOOKS: Sequence[Callable[[Trace, Sequence[TraceLine], datetime], str | None]] = (
    _dead,
    _braked,
    _parked,
    _quarantined,
    _undecided,
    _wrong,
    _missing,
)
"""Most serious first."""


def _held(trace: Trace, state: str) -> Sequence[tuple[str, HeldRecord]]:
    found = [
        (name, record)
        for name, answer in trace.answers.items()
        for record in answer.held
        if record.state == state and record.id not in answer.decided
    ]
    return sorted(found, key=lambda pair: pair[1].first_failed_at)


def _more(held: Sequence[object]) -> str:
    return f" (and {len(held) - 1} more)" if len(held) > 1 else ""


def _state(lines: Sequence[TraceLine], *, advice: bool = True) -> str:
    recorded = _last(line for line in lines if line.what == "recorded")
    posted = _last(line for line in lines if line.what == "posted")
    if recorded is None:
        moved = _last(line for line in lines if line.what == "transferred")
        known = "known, but nothing is recorded"
        if moved is not None:
            number = moved.facts.get("transaction", "?")
            known = f"moved by an operator, in the books as transaction {number}"
        return known + ("; nothing to do" if advice else "")
    amount = recorded.facts.get("amount")
    words = recorded.facts.get("type", "known") + (f" of {amount}" if amount else "")
    booked = "nothing booked"
    if posted is not None:
        booked = f"in the books, last as transaction {posted.facts.get('transaction', '?')}"
    return f"{words}, {booked}" + ("; nothing to do" if advice else "")


def _last(lines: Iterable[TraceLine]) -> TraceLine | None:
    return max(lines, key=lambda line: line.at, default=None)
