"""Topics on a broker whose ACLs deny us to describe or alter configurations."""

import asyncio
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
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from router.broker.topics.apply import ApplyMode, TopicResult, apply_topics
from router.broker.topics.contract import AtLeast, Exactly, TopicNeed
from router.broker.topics.watch import TopicMetrics, TopicWatch
from router.telemetry.logs import get_log
from router.telemetry.management import Health
from tests.parts.broker.topic_admin import make, maker
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.waiting import eventually

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
GOOD = Health(good=True, detail="events can be published")


@pytest.fixture(scope="module")
def guarded() -> Iterator[ApacheKafka]:
    """Run a Kafka with an authorizer; users without ACLs may do everything."""
    kafka = ApacheKafka(
        {"authorizer.class.name": AUTHORIZER, "allow.everyone.if.no.acl.found": "true"}
    )
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


def deny(kafka: ApacheKafka, topic: str, *operations: AclOperation) -> None:
    """Allow all operations on a topic except these."""
    allowed = AclOperation.ALL, AclPermissionType.ALLOW
    rules = [allowed, *((each, AclPermissionType.DENY) for each in operations)]
    bindings = [
        AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            "User:ANONYMOUS",
            "*",
            operation,
            permission,
        )
        for operation, permission in rules
    ]
    # Referenced until its futures are done.
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for answer in client.create_acls(bindings).values():
        answer.result(10)


def need(topic: str) -> TopicNeed:
    compared = (
        Exactly("cleanup.policy", "delete", endangers=True),
        AtLeast("retention.ms", 1000),
    )
    return TopicNeed(topic, 1, 1, 1, compared)


async def watched(kafka: ApacheKafka, topic: str, *, require: bool) -> TopicWatch:
    """Check the topics until the broker applies the ACLs."""
    registry = CollectorRegistry()
    watch = TopicWatch(
        maker(kafka.bootstrap),
        [need(topic)],
        TopicMetrics(registry, [topic]),
        get_log("topics"),
        interval_seconds=0.05,
        require_check=require,
    )
    async with watch.running():
        await eventually(
            lambda: watch.findings and watch.findings.unchecked,
            "an unchecked topic",
            seconds=30,
            pause=0.02,
        )
    assert registry.get_sample_value("payrouter_topics_unchecked") == 1
    return watch


@pytest.mark.kafka
async def test_topic_without_describe_rights_is_accepted_and_reported(
    guarded: ApacheKafka, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await make(guarded.bootstrap, topic, 1)
    await asyncio.to_thread(deny, guarded, topic, AclOperation.DESCRIBE_CONFIGS)

    with capture_logs() as log:
        watch = await watched(guarded, topic, require=False)

    health = watch.health(GOOD)
    assert health.good
    assert f"not compared: {topic} (the broker does not show its configuration" in health.detail
    assert "TOPIC_AUTHORIZATION_FAILED" in health.detail
    assert watch.problem(topic) is None
    (line,) = [line for line in log if line["event"] == "topics_unchecked"]
    assert line["log_level"] == "warning"


@pytest.mark.kafka
async def test_no_event_is_acknowledged_without_a_required_check(
    guarded: ApacheKafka, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await make(guarded.bootstrap, topic, 1)
    await asyncio.to_thread(deny, guarded, topic, AclOperation.DESCRIBE_CONFIGS)

    watch = await watched(guarded, topic, require=True)

    assert not watch.health(GOOD).good
    assert "topics.require_check is set" in str(watch.problem(topic))


@pytest.mark.kafka
async def test_hidden_topic_is_unknown_and_not_missing(
    guarded: ApacheKafka, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await make(guarded.bootstrap, topic, 1)
    await asyncio.to_thread(
        deny, guarded, topic, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS
    )

    watch = await watched(guarded, topic, require=False)
    report = await apply_topics(
        maker(guarded.bootstrap), guarded.bootstrap, [need(topic)], ApplyMode.CREATE
    )

    assert watch.health(GOOD).good
    assert [each.result for each in report.topics] == [TopicResult.UNKNOWN]
    assert not report.well


@pytest.mark.kafka
async def test_denied_alteration_is_reported_for_its_topic_and_others_are_altered(
    guarded: ApacheKafka, topics_prefix: str
) -> None:
    denied, allowed = f"{topics_prefix}denied", f"{topics_prefix}allowed"
    for topic in (denied, allowed):
        await make(guarded.bootstrap, topic, 1, cleanup_policy="compact")
    await asyncio.to_thread(deny, guarded, denied, AclOperation.ALTER_CONFIGS)

    report = await apply_topics(
        maker(guarded.bootstrap), guarded.bootstrap, [need(denied), need(allowed)], ApplyMode.ALTER
    )

    assert list(report.refused) == [denied]
    assert "TopicAuthorizationFailed" in report.refused[denied]
    assert [each.topic for each in report.left] == [denied]
    assert [each.topic for topic in report.topics for each in topic.altered] == [allowed]
