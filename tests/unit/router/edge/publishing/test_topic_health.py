"""Health of a topic after attempts: the table, and that every state has a way out."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from router.contract.wire import OutgoingRecord
from router.edge.publishing.topic_health import READY, TopicHealth, TopicHealthState

RECORD = OutgoingRecord("payment", b"k", b"v", [])

STEPS = st.sampled_from(
    ["acknowledged", "given_up", "not_sent", "refused", "record_refused", "producer_replaced"]
)


def after(health: TopicHealth, step: str, attempt: int, now: float = 0.0) -> TopicHealth:
    match step:
        case "acknowledged":
            return health.acknowledged(attempt)
        case "given_up" | "not_sent":
            return health.given_up(attempt, RECORD, now, sent=step == "given_up")
        case "refused":
            return health.refused(attempt, RECORD, "topic payment: no right")
        case "record_refused":
            return health.record_refused(attempt)
    return health.producer_replaced()


@given(st.lists(st.tuples(STEPS, st.integers(1, 20))))
def test_every_sequence_leaves_a_next_step(steps: Sequence[tuple[str, int]]) -> None:
    health = TopicHealth()
    for step, attempt in steps:
        health = after(health, step, attempt)

    # Not ready: the producer retries it, or there is a record to try; and there is a reason.
    assert health.ready or health.trial == RECORD
    assert health.ready == (health.problem("payment", 0.0) is None)
    assert health.ready == (health.state in READY)
    assert health.state is not TopicHealthState.UNANSWERED or health.since is not None
    assert after(health, "acknowledged", health.attempt).state is TopicHealthState.KEPT


@given(st.lists(st.tuples(STEPS, st.integers(1, 20))), STEPS)
def test_older_attempt_does_not_change_the_state(
    steps: Sequence[tuple[str, int]], last: str
) -> None:
    health = TopicHealth()
    for step, attempt in steps:
        health = after(health, step, attempt)

    if last != "producer_replaced":
        assert after(health, last, health.attempt - 1) == health


@given(st.lists(st.sampled_from(["given_up", "not_sent", "producer_replaced"]), min_size=1))
def test_only_an_acknowledgement_restores_readiness(steps: Sequence[str]) -> None:
    health = after(TopicHealth(), "given_up", 1)
    for number, step in enumerate(steps, start=2):
        health = after(health, step, number)

    assert not health.ready


def test_silence_is_measured_from_the_first_abandoned_record() -> None:
    health = after(TopicHealth(), "given_up", 1, now=5.0)
    health = after(health, "given_up", 2, now=9.0)

    assert health.silent_for(10.0) == 5.0
    assert health.problem("payment", 10.0) == "no acknowledgement for 5 s from topic payment"
