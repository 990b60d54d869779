"""What the broker reports, and how it is judged."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from consumers.doctor.broker import BrokerFound, BrokerNeeds, judge_broker, judge_remembered
from consumers.doctor.results import CheckState
from router.broker.rights import (
    NOTHING_GRANTED,
    KafkaOperation,
    Resource,
    ResourceKind,
    Right,
)
from router.broker.topics.apply import TopicReport, TopicResult, TopicsReport
from router.broker.topics.contract import PARTITIONS, Difference, Fix

GOOD = TopicReport("payment", TopicResult.THERE, (), (), None)
PAYMENT = Resource(ResourceKind.TOPIC, "payment")
GROUP = Resource(ResourceKind.GROUP, "payrouter.ledger")
READING = KafkaOperation.READ.bit | KafkaOperation.DESCRIBE.bit
RIGHTS = (
    Right("User:ledger", KafkaOperation.READ, PAYMENT, "applies events"),
    Right(
        "User:ledger", KafkaOperation.DESCRIBE_CONFIGS, PAYMENT, "compares topics", required=False
    ),
    Right("User:ledger", KafkaOperation.READ, GROUP, "joins its group"),
)
NEEDS = BrokerNeeds(
    cluster_id=None,
    replication_factor=3,
    min_insync_replicas=2,
    groups={"ledger": "payrouter.ledger"},
    rights={"ledger": RIGHTS},
    connection="SASL_SSL, signed in as ledger by SCRAM-SHA-512",
)
SOUND = BrokerFound(
    cluster_id="abc",
    brokers=3,
    topics=TopicsReport([GOOD]),
    groups={"ledger": None},
    granted={
        PAYMENT: KafkaOperation.READ.bit | KafkaOperation.DESCRIBE_CONFIGS.bit,
        GROUP: READING,
    },
    ahead_seconds=0.5,
)


def judged(found: BrokerFound, needs: BrokerNeeds = NEEDS) -> list[tuple[str, str, str]]:
    """Return state, check and text of what is not well."""
    return [
        (each.state.value, each.what, f"{each.found}; {each.remedy}")
        for each in judge_broker(found, needs)
        if each.state is not CheckState.OK
    ]


def different(*differences: Difference, unchecked: str | None = None) -> BrokerFound:
    topic = TopicReport("payment", TopicResult.THERE, (), differences, unchecked)
    return replace(SOUND, topics=TopicsReport([topic]))


def test_a_sound_broker_is_well_in_every_check() -> None:
    assert [(each.what, each.found) for each in judge_broker(SOUND, NEEDS)] == [
        ("broker", "reachable, 3 brokers"),
        ("connection", "SASL_SSL, signed in as ledger by SCRAM-SHA-512"),
        ("controller", "its clock agrees with this machine's"),
        ("cluster id", "abc"),
        ("topics", "1 of 1 are there as needed"),
        ("rights of ledger", "has them on 2 topics and groups"),
        ("group of ledger", "payrouter.ledger"),
    ]


@pytest.mark.parametrize(
    ("brokers", "expected"),
    [
        (
            2,
            (
                "warn",
                (
                    "reachable, 2 brokers, topics.replication_factor is 3; start the other brokers:"
                    " no topic can be created, and the loss of one more stops us"
                ),
            ),
        ),
        (
            1,
            (
                "fail",
                (
                    "reachable, 1 broker, topics.min_insync_replicas is 2; start the other brokers:"
                    " no event can be written"
                ),
            ),
        ),
    ],
)
def test_too_few_brokers_are_named(brokers: int, expected: tuple[str, str]) -> None:
    ((state, what, text),) = judged(replace(SOUND, brokers=brokers))
    assert what == "broker"
    assert (state, text) == expected


def test_another_cluster_id_is_right_only_after_a_move() -> None:
    ((state, what, text),) = judged(SOUND, replace(NEEDS, cluster_id="former"))
    assert (state, what) == ("warn", "cluster id")
    assert text.startswith("abc, fences use kafka.cluster_id former; right only if ")
    assert judged(SOUND, replace(NEEDS, cluster_id="abc")) == []


@pytest.mark.parametrize(("endangers", "state"), [(True, "fail"), (False, "warn")])
def test_a_difference_fails_if_an_event_could_be_lost(endangers: bool, state: str) -> None:  # noqa: FBT001 - a table
    difference = Difference(
        "payment", "min.insync.replicas", "2", "1", endangers, Fix.ALTER, "run X", at_least=True
    )
    text = "topic payment has min.insync.replicas 1, needs 2 or more; run X"
    assert judged(different(difference)) == [(state, "topics", text)]


def test_more_partitions_come_with_their_effect() -> None:
    difference = Difference("payment", PARTITIONS, "12", "3", False, Fix.ALTER, "run X")  # noqa: FBT003 - as elsewhere
    ((_, _, text),) = judged(different(difference))
    assert text.endswith("; run X, which moves keys to other partitions")


def test_a_topic_that_cannot_be_compared_warns() -> None:
    ((state, what, text),) = judged(different(unchecked="not shown"))
    assert (state, what) == ("warn", "topics")
    assert text.startswith("not shown (topics payment); grant DESCRIBE and DESCRIBE_CONFIGS: docs/")


def test_missing_rights_come_with_their_commands() -> None:
    found = replace(SOUND, granted={PAYMENT: KafkaOperation.DESCRIBE.bit, GROUP: NOTHING_GRANTED})
    topic, group = judged(found)
    add = "kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:ledger"
    assert topic == (
        "fail",
        "rights of ledger",
        (
            "User:ledger may not READ and DESCRIBE_CONFIGS topic `payment`;"
            f" grant: {add} --operation Read --operation DescribeConfigs --topic payment"
        ),
    )
    assert group == (
        "fail",
        "rights of ledger",
        (
            "User:ledger may not READ group `payrouter.ledger`;"
            f" grant: {add} --operation Read --group payrouter.ledger"
        ),
    )


def test_a_right_that_the_work_does_not_need_warns_with_its_purpose() -> None:
    ((state, _, text),) = judged(replace(SOUND, granted={PAYMENT: READING, GROUP: READING}))
    assert state == "warn"
    assert "may not DESCRIBE_CONFIGS topic `payment`, which it needs for: compares topics" in text


def test_rights_that_the_broker_does_not_report_warn() -> None:
    ((state, what, text),) = judged(replace(SOUND, granted={PAYMENT: -1}))
    assert (state, what) == ("warn", "rights of ledger")
    assert text.startswith("the broker does not report them for group `payrouter.ledger`; ")


def test_a_group_that_cannot_be_described_fails() -> None:
    ((state, what, text),) = judged(replace(SOUND, groups={"ledger": "denied"}))
    assert (state, what) == ("fail", "group of ledger")
    assert text == "payrouter.ledger cannot be described: denied; then run this again"


def test_a_broker_that_describes_no_group_warns() -> None:
    ((state, what, _),) = judged(replace(SOUND, groups={}))
    assert (state, what) == ("warn", "group of ledger")


@pytest.mark.parametrize(
    ("clusters", "warned"), [([], False), (["former", "now"], False), (["former"], True)]
)
def test_fences_of_other_clusters_alone_are_named(clusters: Sequence[str], warned: bool) -> None:  # noqa: FBT001 - a table
    found = list(judge_remembered("now", {"ledger": clusters}))
    assert [each.found for each in found] == [
        "ledger has applied records of former, none of now"
    ] * warned


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (
            -3.0,
            ("warn", "its clock is 3.0 s behind this machine's; synchronize both machines by NTP"),
        ),
        (
            31.0,
            (
                "fail",
                "its clock is 31.0 s ahead of this machine's; synchronize both machines by NTP",
            ),
        ),
    ],
)
def test_a_controller_with_another_clock_is_named(ahead: float, expected: tuple[str, str]) -> None:
    ((state, what, text),) = judged(replace(SOUND, ahead_seconds=ahead))
    assert what == "controller"
    assert (state, text) == expected


def test_an_unknown_clock_is_named_without_a_warning() -> None:
    unknown = replace(SOUND, ahead_seconds=None)
    (clock,) = [each for each in judge_broker(unknown, NEEDS) if each.what == "controller"]
    assert clock.found.startswith("its clock is not known: ")
    assert judged(unknown) == []
