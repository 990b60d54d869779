"""What the attempts to publish on a topic have shown of it: one value, and pure transitions.

The edge is ready where the last attempt on each topic was kept. A topic whose last attempt was
not kept recovers without traffic, since no load balancer sends any to an edge that is not ready:
either the producer still tries that record and gets its acknowledgement, or `trial` is sent again
until it does. The event's id makes the repetition harmless.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from router.contract.wire import OutgoingRecord


class State(StrEnum):
    """What is known of a topic from attempts."""

    UNTRIED = "untried"
    """No attempt since the start, or only records that were at fault themselves."""
    KEPT = "kept"
    """The last attempt was acknowledged."""
    UNANSWERED = "unanswered"
    """An attempt was given up at its deadline; the producer still tries."""
    REFUSED = "refused"
    """The topic refused a record, as it will every other one."""
    DOUBTED = "doubted"
    """A record was given up that no producer tries any more: it is to be sent again."""


class Outcome(StrEnum):
    """What became of an attempt, or of the producer."""

    ACKNOWLEDGED = "acknowledged"
    GIVEN_UP = "given_up"
    NOT_SENT = "not_sent"
    """Given up before a producer had taken it: nobody tries it any more."""
    TOPIC_REFUSED = "topic_refused"
    RECORD_REFUSED = "record_refused"
    PRODUCER_REPLACED = "producer_replaced"


READY = frozenset({State.UNTRIED, State.KEPT})
"""States that do not keep the edge from being ready."""

_AFTER: Mapping[Outcome, Mapping[State, State]] = {
    Outcome.ACKNOWLEDGED: dict.fromkeys(State, State.KEPT),
    Outcome.GIVEN_UP: {
        State.UNTRIED: State.UNANSWERED,
        State.KEPT: State.UNANSWERED,
        State.UNANSWERED: State.UNANSWERED,
        State.REFUSED: State.REFUSED,
        State.DOUBTED: State.DOUBTED,
    },
    Outcome.NOT_SENT: {
        State.UNTRIED: State.DOUBTED,
        State.KEPT: State.DOUBTED,
        State.UNANSWERED: State.UNANSWERED,
        State.REFUSED: State.REFUSED,
        State.DOUBTED: State.DOUBTED,
    },
    Outcome.TOPIC_REFUSED: dict.fromkeys(State, State.REFUSED),
    Outcome.RECORD_REFUSED: {
        State.UNTRIED: State.UNTRIED,
        State.KEPT: State.KEPT,
        # The record at fault was the one to prove the topic with, and it will not.
        State.UNANSWERED: State.UNTRIED,
        State.REFUSED: State.UNTRIED,
        State.DOUBTED: State.UNTRIED,
    },
    Outcome.PRODUCER_REPLACED: {
        State.UNTRIED: State.UNTRIED,
        State.KEPT: State.KEPT,
        State.UNANSWERED: State.DOUBTED,
        State.REFUSED: State.REFUSED,
        State.DOUBTED: State.DOUBTED,
    },
}


@dataclass(frozen=True)
class TopicHealth:
    """The state of a topic, and what it rests on.

    `attempt` is the number of that attempt, rising in the order in which attempts
    began; `why` is for people; `since` is when answers began to be missing, in
    seconds of the monotonic clock; `trial` is the record to prove the topic with.
    """

    state: State = State.UNTRIED
    attempt: int = 0
    why: str = ""
    since: float | None = None
    trial: OutgoingRecord | None = None

    @property
    def ready(self) -> bool:
        """Whether attempts have left no doubt."""
        return self.state in READY

    def acknowledged(self, attempt: int) -> "TopicHealth":
        """Return the health after an acknowledgement."""
        return self._after(attempt, lambda: TopicHealth(State.KEPT, attempt))

    def given_up(
        self, attempt: int, record: OutgoingRecord, now: float, *, sent: bool = True
    ) -> "TopicHealth":
        """Return the health after a deadline passed; `sent`: a producer still tries."""
        state = _AFTER[Outcome.GIVEN_UP if sent else Outcome.NOT_SENT][self.state]
        since = now if self.since is None else self.since
        trial = record if self.ready else self.trial
        first = attempt if self.ready else self.attempt
        return self._after(attempt, lambda: TopicHealth(state, first, self.why, since, trial))

    def refused(self, attempt: int, record: OutgoingRecord, why: str) -> "TopicHealth":
        """Return the health after the topic refused a record."""
        return self._after(attempt, lambda: TopicHealth(State.REFUSED, attempt, why, None, record))

    def record_refused(self, attempt: int) -> "TopicHealth":
        """Return the health after a record was refused for a fault of its own."""
        state = _AFTER[Outcome.RECORD_REFUSED][self.state]
        return self._after(attempt, lambda: TopicHealth(state, attempt))

    def producer_replaced(self) -> "TopicHealth":
        """Return the health after the producer was replaced: what it still tried is lost."""
        state = _AFTER[Outcome.PRODUCER_REPLACED][self.state]
        return TopicHealth(state, self.attempt, self.why, None, self.trial)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds answers have been missing; 0 where none is."""
        return 0 if self.since is None else now - self.since

    def problem(self, topic: str, now: float) -> str | None:
        """Return what keeps the edge from being ready, for people."""
        if self.ready:
            return None
        if self.state is State.REFUSED:
            return f"the last record was refused: {self.why}"
        seconds = self.silent_for(now)
        if self.state is State.UNANSWERED:
            return f"no acknowledgement for {seconds:.0f} s from topic {topic}"
        return f"no acknowledgement yet from topic {topic} of a record that is sent again"

    def _after(self, attempt: int, after: Callable[[], "TopicHealth"]) -> "TopicHealth":
        """Leave an outcome out that is older than what is known."""
        return self if attempt < self.attempt else after()
