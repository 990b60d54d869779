"""`payrouter doctor` on a broker whose ACLs deny rights that edge and consumers need."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # exported all the same
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from consumers.doctor.broker import BrokerNeeds, judge_broker
from consumers.doctor.query_broker import query_broker
from consumers.doctor.results import CheckState
from consumers.doctor.stores import CLOCK_FAIL_SECONDS
from router.broker.connection import KafkaConnection
from router.broker.rights import ConsumerParts, consumer_rights, edge_rights
from router.broker.settings import KafkaSettings
from router.broker.topics.contract import AtLeast, TopicNeed
from router.contract.topics import Topics
from tests.parts.broker.topic_admin import make
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.kafka.guarded import AUTHORIZED

pytestmark = pytest.mark.kafka

TOPICS = ("payment", "payout")
GROUPS = {"ledger": "payrouter.ledger", "inventory": "payrouter.inventory"}
USER = "User:ANONYMOUS"
NEEDS = BrokerNeeds(
    None,
    1,
    1,
    GROUPS,
    {
        "edge": edge_rights(USER, Topics()),
        "ledger": consumer_rights(USER, ConsumerParts(GROUPS["ledger"], ["payout"], [])),
    },
)


@pytest.fixture
def guarded() -> Iterator[ApacheKafka]:
    """Run a Kafka with an authorizer; without ACLs on it, everything is allowed."""
    kafka = ApacheKafka({key: AUTHORIZED[key] for key in AUTHORIZED if key != "super.users"})
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


def deny(kafka: ApacheKafka, kind: ResourceType, name: str, denied: AclOperation) -> None:
    """Allow all operations on a resource except this one."""
    rules = [(AclOperation.ALL, AclPermissionType.ALLOW), (denied, AclPermissionType.DENY)]
    literal, user = ResourcePatternType.LITERAL, "User:ANONYMOUS"
    bindings = [AclBinding(kind, name, literal, user, "*", *rule) for rule in rules]
    # Referenced until its futures are done.
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for answer in client.create_acls(bindings).values():
        answer.result(10)


async def test_denied_rights_are_named(guarded: ApacheKafka) -> None:
    for topic in TOPICS:
        await make(guarded.bootstrap, topic, 1)
    deny(guarded, ResourceType.TOPIC, "payment", AclOperation.WRITE)
    deny(guarded, ResourceType.TOPIC, "payout", AclOperation.DESCRIBE_CONFIGS)
    deny(guarded, ResourceType.GROUP, "payrouter.ledger", AclOperation.DESCRIBE)
    kafka = KafkaConnection.of(KafkaSettings(bootstrap_servers=guarded.bootstrap))
    wanted = [TopicNeed(topic, 1, 1, 1, (AtLeast("retention.ms", 1000),)) for topic in TOPICS]

    found = await query_broker(kafka, wanted, NEEDS)
    results = list(judge_broker(found, NEEDS))

    # The broker runs on this machine.
    assert found.ahead_seconds is not None
    assert abs(found.ahead_seconds) < CLOCK_FAIL_SECONDS
    trouble = [each for each in results if each.state is not CheckState.OK]
    assert [(each.state.value, each.what, each.found) for each in trouble[1:]] == [
        ("fail", "rights of edge", f"{USER} may not WRITE topic `payment`"),
        (
            "warn",
            "rights of edge",
            f"{USER} may not DESCRIBE_CONFIGS topic `payout`, which it needs for: compares topics",
        ),
        (
            "warn",
            "rights of edge",
            (
                "the broker does not report them for topic `quarantine`, topic `refused`,"
                " topic `subscription`"
            ),
        ),
        ("fail", "rights of ledger", f"{USER} may not READ group `payrouter.ledger`"),
        (
            "warn",
            "rights of ledger",
            f"{USER} may not DESCRIBE_CONFIGS topic `payout`, which it needs for: compares topics",
        ),
    ]
    assert trouble[0].found.startswith("the broker does not show its configuration")
    assert trouble[1].remedy.endswith(f"--allow-principal {USER} --operation Write --topic payment")
    assert ("group of inventory", "payrouter.inventory") in [(r.what, r.found) for r in results]
