"""Health of a topic, derived from attempts to publish to it: one value and pure transitions.

The edge is ready if the last attempt on each topic was acknowledged. A topic whose last attempt
failed must recover without traffic, since no load balancer sends any to an edge that is not ready:
either the producer still retries that record until it is acknowledged, or `trial` is sent again
until it is. The event's id makes the repetition harmless.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from router.contract.wire import OutgoingRecord


class TopicHealthState(StrEnum):
    """State of a topic after the attempts to publish to it."""

    UNTRIED = "untried"
    """No attempt since the start, or only attempts with an invalid record."""
    KEPT = "kept"
    """The last attempt was acknowledged."""
    UNANSWERED = "unanswered"
    """An attempt was given up at its deadline; the producer still retries it."""
    REFUSED = "refused"
    """The topic refused a record, and will refuse every other one."""
    DOUBTED = "doubted"
    """A record was given up and no producer retries it: it must be sent again."""


class AttemptOutcome(StrEnum):
    """Outcome of an attempt, or replacement of the producer."""

    ACKNOWLEDGED = "acknowledged"
    GIVEN_UP = "given_up"
    NOT_SENT = "not_sent"
    """Given up before a producer accepted it, so that no producer retries it."""
    TOPIC_REFUSED = "topic_refused"
    RECORD_REFUSED = "record_refused"
    PRODUCER_REPLACED = "producer_replaced"


READY = frozenset({TopicHealthState.UNTRIED, TopicHealthState.KEPT})
"""States in which the edge is ready."""

_AFTER: Mapping[AttemptOutcome, Mapping[TopicHealthState, TopicHealthState]] = {
    AttemptOutcome.ACKNOWLEDGED: dict.fromkeys(TopicHealthState, TopicHealthState.KEPT),
    AttemptOutcome.GIVEN_UP: {
        TopicHealthState.UNTRIED: TopicHealthState.UNANSWERED,
        TopicHealthState.KEPT: TopicHealthState.UNANSWERED,
        TopicHealthState.UNANSWERED: TopicHealthState.UNANSWERED,
        TopicHealthState.REFUSED: TopicHealthState.REFUSED,
        TopicHealthState.DOUBTED: TopicHealthState.DOUBTED,
    },
    AttemptOutcome.NOT_SENT: {
        TopicHealthState.UNTRIED: TopicHealthState.DOUBTED,
        TopicHealthState.KEPT: TopicHealthState.DOUBTED,
        TopicHealthState.UNANSWERED: TopicHealthState.UNANSWERED,
        TopicHealthState.REFUSED: TopicHealthState.REFUSED,
        TopicHealthState.DOUBTED: TopicHealthState.DOUBTED,
    },
    AttemptOutcome.TOPIC_REFUSED: dict.fromkeys(TopicHealthState, TopicHealthState.REFUSED),
    AttemptOutcome.RECORD_REFUSED: {
        TopicHealthState.UNTRIED: TopicHealthState.UNTRIED,
        TopicHealthState.KEPT: TopicHealthState.KEPT,
        # The invalid record was the one to test the topic with: it cannot show anything.
        TopicHealthState.UNANSWERED: TopicHealthState.UNTRIED,
        TopicHealthState.REFUSED: TopicHealthState.UNTRIED,
        TopicHealthState.DOUBTED: TopicHealthState.UNTRIED,
    },
    AttemptOutcome.PRODUCER_REPLACED: {
        TopicHealthState.UNTRIED: TopicHealthState.UNTRIED,
        TopicHealthState.KEPT: TopicHealthState.KEPT,
        TopicHealthState.UNANSWERED: TopicHealthState.DOUBTED,
        TopicHealthState.REFUSED: TopicHealthState.REFUSED,
        TopicHealthState.DOUBTED: TopicHealthState.DOUBTED,
    },
}


@dataclass(frozen=True)
class TopicHealth:
    """The state of a topic, and the attempt that led to it.

    `attempt` is the number of that attempt; numbers rise in the order in which
    attempts began. `why` is a text for operators; `since` is the time from which
    answers are missing, in seconds of the monotonic clock; `trial` is the record
    to test the topic with.
    """

    state: TopicHealthState = TopicHealthState.UNTRIED
    attempt: int = 0
    why: str = ""
    since: float | None = None
    trial: OutgoingRecord | None = None

    @property
    def ready(self) -> bool:
        """Whether the topic does not prevent readiness."""
        return self.state in READY

    def acknowledged(self, attempt: int) -> "TopicHealth":
        """Return the health after an acknowledgement."""
        return self._after(attempt, lambda: TopicHealth(TopicHealthState.KEPT, attempt))

    def given_up(
        self, attempt: int, record: OutgoingRecord, now: float, *, sent: bool = True
    ) -> "TopicHealth":
        """Return the health after a deadline passed; `sent`: a producer still retries."""
        state = _AFTER[AttemptOutcome.GIVEN_UP if sent else AttemptOutcome.NOT_SENT][self.state]
        since = now if self.since is None else self.since
        trial = record if self.ready else self.trial
        first = attempt if self.ready else self.attempt
        return self._after(attempt, lambda: TopicHealth(state, first, self.why, since, trial))

    def refused(self, attempt: int, record: OutgoingRecord, why: str) -> "TopicHealth":
        """Return the health after the topic refused a record."""
        return self._after(
            attempt, lambda: TopicHealth(TopicHealthState.REFUSED, attempt, why, None, record)
        )

    def record_refused(self, attempt: int) -> "TopicHealth":
        """Return the health after a record was refused because it is itself invalid."""
        state = _AFTER[AttemptOutcome.RECORD_REFUSED][self.state]
        return self._after(attempt, lambda: TopicHealth(state, attempt))

    def producer_replaced(self) -> "TopicHealth":
        """Return the health after the producer was replaced and its pending records were lost."""
        state = _AFTER[AttemptOutcome.PRODUCER_REPLACED][self.state]
        return TopicHealth(state, self.attempt, self.why, None, self.trial)

    def silent_for(self, now: float) -> float:
        """Return the seconds since when answers are missing, 0 if none is."""
        return 0 if self.since is None else now - self.since

    def problem(self, topic: str, now: float) -> str | None:
        """Return the reason why the topic prevents readiness, None if it does not."""
        if self.ready:
            return None
        if self.state is TopicHealthState.REFUSED:
            return f"the last record was refused: {self.why}"
        seconds = self.silent_for(now)
        if self.state is TopicHealthState.UNANSWERED:
            return f"no acknowledgement for {seconds:.0f} s from topic {topic}"
        return f"no acknowledgement yet from topic {topic} of a record that is sent again"

    def _after(self, attempt: int, after: Callable[[], "TopicHealth"]) -> "TopicHealth":
        """Return the new health, unless the outcome is older than the current one."""
        return self if attempt < self.attempt else after()
