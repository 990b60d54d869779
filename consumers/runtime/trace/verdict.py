"""Where a payment is now and what to do next, in one sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consumers.runtime.fate import Fate
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.held import HeldRecord
from consumers.runtime.trace.held_up import place_of
from consumers.runtime.trace.lines import EVENTS, REFUSED, Line

RECENT = timedelta(days=1)
"""What others took longer ago a consumer may have taken and forgotten since."""


@dataclass(frozen=True)
class Verdict:
    """The sentence, and whether somebody has to do something."""

    words: str
    trouble: bool = False


def verdict_of(trace: Trace, lines: Sequence[Line], now: datetime) -> Verdict:
    """Say the worst that is known; nothing but the state where all is well."""
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
    """Name the newest refused delivery that mentions what is sought: unproven, but not nothing."""
    if not trace.refused.found:
        return None
    kept = max((each.kept for each in trace.refused.found), key=lambda kept: kept.received_at)
    command = f"payrouter verify {kept.provider} --refused {kept.id}"
    more = _more(trace.refused.found)
    return f"a delivery of {kept.endpoint} was refused ({kept.reason}): {command}{more}"


def _dead(trace: Trace, _lines: Sequence[Line], _now: datetime) -> str | None:
    held = _held(trace, Fate.DEAD)
    if not held:
        return None
    name, record = held[-1]
    return f"dead in {name}: payrouter dlq show {name} {record.id}{_more(held)}"


def _braked(trace: Trace, _lines: Sequence[Line], _now: datetime) -> str | None:
    """Name a brake of a topic on which something of it was seen; of others a note tells."""
    seen = {each.topic for answer in trace.answers.values() for each in answer.taken}
    seen |= {each.topic for answer in trace.answers.values() for each in answer.held}
    for name, answer in trace.answers.items():
        # Where one was taken is not known of old events.
        braked = [topic for topic in answer.brakes if topic in seen or None in seen]
        if braked:
            topics = ", ".join(braked)
            return (
                f"{name} applies nothing of {topics}, its brake holds: payrouter brake show {name}"
            )
    return None


def _parked(trace: Trace, _lines: Sequence[Line], _now: datetime) -> str | None:
    held = _held(trace, Fate.PARKED)
    if not held:
        return None
    name, record = held[-1]
    due = f"{record.due_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    command = f"payrouter parked list {name} --id {record.id}"
    return f"parked in {name}, tried again by itself at {due}: {command}{_more(held)}"


def _quarantined(trace: Trace, lines: Sequence[Line], _now: datetime) -> str | None:
    if not trace.quarantined.found:
        return None
    kept = max((each.kept for each in trace.quarantined.found), key=lambda kept: kept.received_at)
    events = [line for line in lines if line.group == EVENTS]
    so_far = f"{_state(lines, advice=False)}, but " if events else ""
    return (
        f"{so_far}a delivery of {kept.endpoint} lies on quarantine without effect"
        f" ({kept.reason}): {kept.detail}; mend the cause, then have {kept.provider} send it again"
    )


def _wrong(_trace: Trace, lines: Sequence[Line], _now: datetime) -> str | None:
    wrong = [line for line in lines if line.trouble and line.what != REFUSED]
    if not wrong:
        return None
    last = max(wrong, key=lambda line: line.at)
    return f"{_state(lines, advice=False)}, but a person has to look: {last.by} says {last.what}"


def _waited_for(trace: Trace, _lines: Sequence[Line], now: datetime) -> str | None:
    taken = {
        (each.event_id, each.topic)
        for answer in trace.answers.values()
        for each in answer.taken
        if each.topic is not None and now - each.at < RECENT
    }
    for name, answer in trace.answers.items():
        own = {each.event_id for each in answer.taken}
        own |= {record.event_id for record in answer.held if record.event_id is not None}
        missing = {topic for i, topic in taken if topic in trace.topics[name] and i not in own}
        if missing:
            place = place_of(trace.standings, name, missing)
            where = f", which is held up on {place}" if place else ""
            return f"not taken by {name} yet{where}: payrouter offsets show {name}"
    return None


_LOOKS: Sequence[Callable[[Trace, Sequence[Line], datetime], str | None]] = (
    _dead,
    _braked,
    _parked,
    _quarantined,
    _wrong,
    _waited_for,
)
"""The worst first."""


def _held(trace: Trace, state: str) -> Sequence[tuple[str, HeldRecord]]:
    found = [
        (name, record)
        for name, answer in trace.answers.items()
        for record in answer.held
        if record.state == state
    ]
    return sorted(found, key=lambda pair: pair[1].first_failed_at)


def _more(held: Sequence[object]) -> str:
    return f" (and {len(held) - 1} more)" if len(held) > 1 else ""


def _state(lines: Sequence[Line], *, advice: bool = True) -> str:
    recorded = _last(line for line in lines if line.what == "recorded")
    posted = _last(line for line in lines if line.what == "posted")
    if recorded is None:
        return "known, and nothing recorded of it" + ("; nothing to do" if advice else "")
    amount = recorded.facts.get("amount")
    words = recorded.facts.get("type", "known") + (f" of {amount}" if amount else "")
    booked = "nothing booked"
    if posted is not None:
        booked = f"in the books, last as transaction {posted.facts.get('transaction', '?')}"
    return f"{words}, {booked}" + ("; nothing to do" if advice else "")


def _last(lines: Iterable[Line]) -> Line | None:
    return max(lines, key=lambda line: line.at, default=None)
