"""Differences of topics from their needs, and their fixes."""

from collections.abc import Mapping

import pytest

from router.broker.topics.contract import (
    UNLIMITED,
    AtLeast,
    Change,
    Difference,
    Exactly,
    Fix,
    PartitionFound,
    TopicFound,
    TopicNeed,
    changes,
    compare,
    readable,
)

DAY = 24 * 3600 * 1000
NEED = TopicNeed(
    "payment",
    partitions=6,
    replication_factor=3,
    min_insync_replicas=2,
    compared=(
        Exactly("cleanup.policy", "delete", endangers=True, explicit=True),
        AtLeast("retention.ms", 7 * DAY, DAY),
        AtLeast("max.message.bytes", 1000, 500),
        AtLeast("min.insync.replicas", 2, 2, explicit=True),
        Exactly("compression.type", "producer"),
    ),
)
SOUND = {
    "cleanup.policy": "delete",
    "retention.ms": str(30 * DAY),
    "max.message.bytes": "1000",
    "min.insync.replicas": "2",
    "compression.type": "producer",
}


def topic(
    partitions: int = 6, replicas: int = 3, in_sync: int = 3, **configs: str
) -> Mapping[str, TopicFound]:
    found = {number: PartitionFound(replicas, in_sync) for number in range(partitions)}
    named = {key.replace("_", "."): value for key, value in configs.items()}
    return {"payment": TopicFound(found, SOUND | named)}


def only(found: Mapping[str, TopicFound], need: TopicNeed = NEED) -> Difference:
    (difference,) = compare([need], found)
    return difference


def test_a_topic_that_has_what_it_needs_or_more_does_not_differ() -> None:
    assert compare([NEED], topic()) == []
    assert compare([NEED], topic(partitions=60, retention_ms="-1", max_message_bytes="9999")) == []


def test_topic_is_created_with_explicit_configurations_only() -> None:
    assert NEED.configs() == {"cleanup.policy": "delete", "min.insync.replicas": "2"}


@pytest.mark.parametrize(
    ("found", "what", "fix", "endangers"),
    [
        ({"payment": TopicFound({}, {})}, "topic", Fix.CREATE, True),
        (topic(partitions=5), "partitions", Fix.ALTER, False),
        (topic(replicas=2, in_sync=2), "replication factor", Fix.BY_HAND, False),
        (topic(in_sync=1), "replicas in sync", Fix.WAIT, True),
        (topic(cleanup_policy="compact"), "cleanup.policy", Fix.ALTER, True),
        (topic(cleanup_policy="compact,delete"), "cleanup.policy", Fix.ALTER, True),
        (topic(retention_ms=str(6 * DAY)), "retention.ms", Fix.ALTER, False),
        (topic(retention_ms=str(DAY - 1)), "retention.ms", Fix.ALTER, True),
        (topic(max_message_bytes="999"), "max.message.bytes", Fix.ALTER, False),
        (topic(max_message_bytes="499"), "max.message.bytes", Fix.ALTER, True),
        (topic(min_insync_replicas="1"), "min.insync.replicas", Fix.ALTER, True),
        (topic(compression_type="zstd"), "compression.type", Fix.ALTER, False),
    ],
)
def test_each_difference_has_its_fix_and_its_danger(
    found: Mapping[str, TopicFound], what: str, fix: Fix, *, endangers: bool
) -> None:
    difference = only(found)

    assert (difference.what, difference.fix, difference.endangers) == (what, fix, endangers)
    assert "payment" in str(difference)


def test_fewer_replicas_than_must_be_in_sync_are_a_danger() -> None:
    found = only(topic(replicas=1, in_sync=1))

    assert (found.what, found.endangers, found.fix) == ("replication factor", True, Fix.BY_HAND)
    assert "kafka-reassign-partitions.sh" in found.action


def test_replicas_in_sync_are_not_raised_above_the_replicas_that_exist() -> None:
    found = compare([NEED], topic(replicas=1, in_sync=1, min_insync_replicas="1"))

    assert {each.what: each.fix for each in found} == {
        "replication factor": Fix.BY_HAND,
        "min.insync.replicas": Fix.BY_HAND,
    }
    assert list(changes([NEED], found)) == []


def test_changes_that_delete_records_are_left_to_an_operator() -> None:
    refused = TopicNeed("refused", 1, 1, 1, (Exactly("retention.ms", str(3 * DAY)),), matters=False)
    longer = {"refused": TopicFound({0: PartitionFound(1, 1)}, {"retention.ms": str(9 * DAY)})}
    shorter = {"refused": TopicFound({0: PartitionFound(1, 1)}, {"retention.ms": str(DAY)})}

    assert only(longer, refused).fix is Fix.BY_HAND
    assert f"--add-config retention.ms={3 * DAY}" in only(longer, refused).action
    assert only(shorter, refused).fix is Fix.ALTER


def test_foreign_topic_is_compared_and_never_altered() -> None:
    foreign = TopicNeed("payment", 6, 3, 2, NEED.compared, ours=False)
    found = compare([foreign], topic(partitions=1, replicas=1, in_sync=1, cleanup_policy="compact"))

    assert {each.what: (each.fix, each.endangers) for each in found} == {
        "replication factor": (Fix.BY_HAND, False),
        "cleanup.policy": (Fix.BY_HAND, True),
    }


def test_no_difference_of_an_unimportant_topic_is_a_danger() -> None:
    samples = TopicNeed("payment", 6, 3, 2, NEED.compared, matters=False)

    assert not only({"payment": TopicFound({}, {})}, samples).endangers
    assert not only(topic(cleanup_policy="compact"), samples).endangers


def test_configuration_that_the_broker_lacks_or_hides_is_not_a_difference() -> None:
    partitions = {number: PartitionFound(3, 3) for number in range(6)}

    assert compare([NEED], {"payment": TopicFound(partitions, {})}) == []
    assert compare([NEED], {"payment": TopicFound(partitions, None, "denied")}) == []
    assert compare([NEED], {"payment": TopicFound(None, None, "denied")}) == []


def test_all_changes_of_a_topic_are_made_together() -> None:
    found = compare([NEED], topic(partitions=5, cleanup_policy="compact", retention_ms="3600000"))

    assert changes([NEED], found) == [
        Change("payment", {"cleanup.policy": "delete", "retention.ms": str(7 * DAY)}, 6)
    ]


def test_unlimited_retention_exceeds_any_number_of_days() -> None:
    kept = TopicNeed("payment", 1, 1, 1, (AtLeast("retention.ms", UNLIMITED, UNLIMITED),))
    found = only(topic(retention_ms=str(3650 * DAY)), kept)

    assert (found.endangers, found.fix, found.wanted) == (True, Fix.ALTER, "-1")
    assert "has retention.ms 3650 days, needs forever:" in str(found)


@pytest.mark.parametrize(
    ("what", "value", "words"),
    [
        ("retention.ms", "604800000", "7 days"),
        ("retention.ms", "3600000", "1 hour"),
        ("retention.ms", "86400000", "1 day"),
        ("retention.ms", "1500", "1500 ms"),
        ("retention.ms", "0", "0 ms"),
        ("retention.ms", "-1", "forever"),
        ("max.message.bytes", "1048576", "1 MiB"),
        ("max.message.bytes", "1048588", "1048588 bytes"),
        ("retention.bytes", "-1", "unlimited"),
        ("cleanup.policy", "compact", "compact"),
        ("partitions", "5", "5"),
    ],
)
def test_values_are_written_with_their_unit(what: str, value: str, words: str) -> None:
    assert readable(what, value) == words
