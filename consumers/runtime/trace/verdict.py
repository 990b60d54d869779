"""Summarizes the state of a payment and the next step in one sentence."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
class ProblemStep:
    """The next step of an operator: its command, and what it is about.

    `subject` is the number of a held record, or the id of a delivery or a case.
    """

    command: str
    consumer: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Problem:
    """A reason why a payment is not where it belongs; `kind` is one word.

    `facts` has the values of the sentence by name; `more` is how many others there are.
    """

    kind: str
    sentence: str
    facts: Mapping[str, str]
    step: ProblemStep | None = None
    more: int = 0

    @property
    def words(self) -> str:
        """The sentence, then the command."""
        command = "" if self.step is None else f": {self.step.command}"
        others = f" (and {self.more} more)" if self.more else ""
        return f"{self.sentence}{command}{others}"


@dataclass(frozen=True)
class PaymentState:
    """The last event recorded, and the last transaction booked; None if there is none.

    `moved` is the transaction of an operator's transfer, if no event was recorded.
    """

    type: str | None = None
    amount: str | None = None
    transaction: str | None = None
    moved: str | None = None

    @property
    def words(self) -> str:
        """The state as a sentence."""
        if self.type is None and self.moved is not None:
            return f"moved by an operator, in the books as transaction {self.moved}"
        if self.type is None:
            return "known, but nothing is recorded"
        booked = "nothing booked"
        if self.transaction is not None:
            booked = f"in the books, last as transaction {self.transaction}"
        amount = "" if self.amount is None else f" of {self.amount}"
        return f"{self.type}{amount}, {booked}"


@dataclass(frozen=True)
class Verdict:
    """The sentence, and whether an operator has to act.

    `problems` has the most serious one and a refused delivery, at most.
    """

    words: str
    trouble: bool = False
    problems: Sequence[Problem] = ()
    state: PaymentState = PaymentState()


def verdict_of(trace: Trace, lines: Sequence[TraceLine], now: datetime) -> Verdict:
    """Return the most serious problem, or the state if there is none."""
    state, refused = state_of(lines), _refused(trace)
    for look in _LOOKS:
        problem = look(trace, lines, now)
        if problem is not None:
            problems = [each for each in (problem, refused) if each is not None]
            words = "; ".join(each.words for each in problems)
            return Verdict(words, trouble=True, problems=problems, state=state)
    words = state.words
    if trace.whole and refused is None:
        words += "; nothing to do"
    if refused is not None:
        known = any(line.what != REFUSED for line in lines)
        words = f"{words}, but {refused.words}" if known else refused.words
    if not trace.whole:
        words = f"as far as could be read: {words}"
    problems = [] if refused is None else [refused]
    return Verdict(words, bool(problems) or not trace.whole, problems, state)


def _refused(trace: Trace) -> Problem | None:
    """Describe the newest refused delivery that mentions the payment. It is unverified."""
    if not trace.refused.found:
        return None
    kept = max((each.kept for each in trace.refused.found), key=lambda kept: kept.received_at)
    return Problem(
        "refused",
        f"a delivery of {kept.endpoint} was refused ({kept.reason})",
        {"endpoint": kept.endpoint, "reason": kept.reason},
        ProblemStep(f"payrouter verify {kept.provider} --refused {kept.id}", subject=str(kept.id)),
        len(trace.refused.found) - 1,
    )


def _dead(trace: Trace, _lines: Sequence[TraceLine], _now: datetime) -> Problem | None:
    held = _held(trace, Fate.DEAD)
    if not held:
        return None
    name, record = held[-1]
    command = f"payrouter dlq show {name} {record.id}"
    return Problem(
        "dead",
        f"dead in {name}",
        {"consumer": name},
        ProblemStep(command, name, str(record.id)),
        len(held) - 1,
    )


def _braked(trace: Trace, _lines: Sequence[TraceLine], _now: datetime) -> Problem | None:
    """Describe a brake of a topic with the payment's records; notes report other brakes."""
    seen = {each.topic for answer in trace.answers.values() for each in answer.received}
    seen |= {each.topic for answer in trace.answers.values() for each in answer.held}
    for name, answer in trace.answers.items():
        # Old events are stored without their topic.
        braked = [topic for topic in answer.brakes if topic in seen or None in seen]
        if braked:
            topics = ", ".join(braked)
            return Problem(
                "braked",
                f"{name} does not apply records of {topics} because of its brake",
                {"consumer": name, "topics": topics},
                ProblemStep(f"payrouter brake show {name}", name),
            )
    return None


def _parked(trace: Trace, _lines: Sequence[TraceLine], _now: datetime) -> Problem | None:
    held = _held(trace, Fate.PARKED)
    if not held:
        return None
    name, record = held[-1]
    due = f"{record.due_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    command = f"payrouter parked list {name} --id {record.id}"
    return Problem(
        "parked",
        f"parked in {name}, next retry at {due}",
        {"consumer": name, "due": record.due_at.isoformat()},
        ProblemStep(command, name, str(record.id)),
        len(held) - 1,
    )


def _quarantined(trace: Trace, lines: Sequence[TraceLine], _now: datetime) -> Problem | None:
    found = trace.quarantined.without_effect
    if not found:
        return None
    kept = max((each.kept for each in found), key=lambda kept: kept.received_at)
    events = [line for line in lines if line.group == EVENTS]
    so_far = f"{state_of(lines).words}, but " if events else ""
    return Problem(
        "quarantined",
        f"{so_far}a delivery of {kept.endpoint} is quarantined without effect"
        f" ({kept.reason}): {kept.detail}; fix the cause, then replay it",
        {"endpoint": kept.endpoint, "reason": kept.reason, "detail": kept.detail},
        ProblemStep(f"payrouter quarantine replay --id {kept.id} --yes", subject=str(kept.id)),
    )


def _undecided(trace: Trace, lines: Sequence[TraceLine], _now: datetime) -> Problem | None:
    """Describe the oldest open case; a held record's own line has come before."""
    found = trace.open_cases
    if not found:
        return None
    oldest = found[0]
    return Problem(
        "undecided",
        f"{state_of(lines).words}, but needs an operator: {oldest.kind.name}",
        {"case": oldest.kind.name},
        ProblemStep(f"payrouter cases show {oldest.id}", subject=oldest.id),
        len(found) - 1,
    )


def _wrong(trace: Trace, lines: Sequence[TraceLine], _now: datetime) -> Problem | None:
    """Describe a step that is trouble; a case's opening is not, since the case may be settled."""
    wrong = [
        line
        for line in lines
        if line.trouble and line.what != REFUSED and line.what.replace(" ", "-") not in trace.kinds
    ]
    if not wrong:
        return None
    last = max(wrong, key=lambda line: line.at)
    sentence = f"{state_of(lines).words}, but needs an operator: {last.by} reports {last.what}"
    return Problem("wrong", sentence, {"by": last.by, "what": last.what})


def _missing(trace: Trace, _lines: Sequence[TraceLine], now: datetime) -> Problem | None:
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
            return Problem(
                "missing",
                f"not received by {name} yet{where}",
                {"consumer": name, "blocked": str(blocked or "")},
                ProblemStep(f"payrouter offsets show {name}", name),
            )
    return None


_LOOKS: Sequence[Callable[[Trace, Sequence[TraceLine], datetime], Problem | None]] = (
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


def state_of(lines: Sequence[TraceLine]) -> PaymentState:
    """Return the state that these lines show."""
    recorded = _last(line for line in lines if line.what == "recorded")
    posted = _last(line for line in lines if line.what == "posted")
    if recorded is None:
        moved = _last(line for line in lines if line.what == "transferred")
        return PaymentState(moved=None if moved is None else moved.facts.get("transaction", "?"))
    return PaymentState(
        recorded.facts.get("type", "known"),
        recorded.facts.get("amount") or None,
        None if posted is None else posted.facts.get("transaction", "?"),
    )


def _last(lines: Iterable[TraceLine]) -> TraceLine | None:
    return max(lines, key=lambda line: line.at, default=None)
