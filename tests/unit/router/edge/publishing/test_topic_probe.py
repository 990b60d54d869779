"""Problems found in a broker's description of a topic."""

import pytest

from router.broker.rights import NOTHING_GRANTED, KafkaOperation, on_topic
from router.broker.topics.ids import DENIED, PartitionSeen, TopicSeen
from router.edge.publishing.topic_probe import problem_of

WRITING = (on_topic("User:edge", KafkaOperation.WRITE, "payment", "publishes"),)


def seen(*in_sync: int, granted: int | None = None, error: str | None = None) -> TopicSeen:
    """Describe a topic of three replicas, with this many in sync in each partition."""
    partitions = {
        number: PartitionSeen(1, 0, frozenset({1, 2, 3}), frozenset(range(1, 1 + count)))
        for number, count in enumerate(in_sync)
    }
    return TopicSeen("payment", None, error, partitions, granted)


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        (seen(3, 3), None),
        (seen(2, 2), None),
        # Attempts show a failure of one partition; the other partitions accept records.
        (seen(1, 3), None),
        (seen(1, 1), "topic payment has at most 1 replicas in sync, min.insync.replicas is 2"),
        (seen(3, granted=KafkaOperation.WRITE.bit), None),
        (
            seen(3, granted=KafkaOperation.READ.bit),
            "User:edge may not WRITE topic `payment`; grant: ",
        ),
        (seen(error=DENIED, granted=NOTHING_GRANTED), "User:edge may not WRITE topic `payment`"),
        (seen(error="INVALID_TOPIC_EXCEPTION"), "topic payment: INVALID_TOPIC_EXCEPTION"),
    ],
)
def test_problem_that_prevents_writing_is_named(topic: TopicSeen, problem: str | None) -> None:
    found = problem_of(topic, 2, WRITING)

    assert found is None if problem is None else found is not None and problem in found


def test_no_more_replicas_are_required_than_exist() -> None:
    alone = PartitionSeen(1, 0, frozenset({1}), frozenset({1}))

    assert problem_of(TopicSeen("payment", None, None, {0: alone}, None), 2, ()) is None
