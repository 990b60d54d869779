"""Topics as a broker describes them: their identity, their partitions, our right to write."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka.admin import (  # type: ignore[attr-defined] # exported, not in __all__
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from router.broker.adapter.private import connections_of
from router.broker.rights import KafkaOperation
from router.broker.topics.ids import MISSING, PartitionSeen, TopicSeen, describe
from router.evaluation.embedded import EvaluationBroker
from tests.parts.brokers import create_topics
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.waiting import eventually

SECONDS = 10.0


def may_write(found: TopicSeen) -> bool:
    assert found.granted is not None
    return bool(found.granted & KafkaOperation.WRITE.bit)


async def until(
    seen: Callable[[], Awaitable[TopicSeen]], wanted: Callable[[TopicSeen], bool]
) -> TopicSeen:
    found: list[TopicSeen] = []

    async def looks() -> bool:
        found.append(await seen())
        return wanted(found[-1])

    await eventually(looks, "the topic as wanted", seconds=SECONDS)
    return found[-1]


@pytest.mark.kafka
async def test_recreated_topic_has_a_new_id(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await create_topics(kafka.bootstrap, [name], partitions=2)
    before = (await describe(consumer, [name], SECONDS))[name]
    await admin.delete_topics([name])

    async def seen() -> TopicSeen:
        return (await describe(admin, [name], SECONDS))[name]

    gone = await until(seen, lambda found: found.error is not None)
    assert (gone.error, gone.topic_id, gone.partitions, gone.granted) == (MISSING, None, {}, None)
    await create_topics(kafka.bootstrap, [name], partitions=2)
    after = await until(seen, lambda found: found.error is None)
    await admin.close()
    assert before.topic_id is not None
    assert after.topic_id is not None
    assert after.topic_id != before.topic_id
    assert set(after.partitions) == {0, 1}
    first = after.partitions[0]
    assert first == PartitionSeen(1, 0, frozenset({1}), frozenset({1}))


@pytest.mark.kafka
async def test_describing_a_topic_never_creates_it(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    for _ in range(3):
        assert (await describe(consumer, [name], SECONDS))[name].error == MISSING
    assert name not in AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics().topics
    assert await describe(consumer, [], SECONDS) == {}


@pytest.mark.kafka
async def test_denied_write_is_detected_before_a_record_is_sent(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name, other = f"{topics_prefix}payment", f"{topics_prefix}payout"
    await create_topics(kafka.bootstrap, [name, other], partitions=1)
    acl = (ResourceType.TOPIC, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*")
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    denied = AclBinding(*acl, AclOperation.WRITE, AclPermissionType.DENY)
    allowed = AclBinding(*acl, AclOperation.ALL, AclPermissionType.ALLOW)
    for made in admin.create_acls([denied, allowed]).values():
        await asyncio.to_thread(made.result, SECONDS)

    async def seen() -> TopicSeen:
        return (await describe(consumer, [name, other], SECONDS))[name]

    await until(seen, lambda found: not may_write(found))
    assert may_write((await describe(consumer, [other], SECONDS))[other])
    lifted = AclBindingFilter(*acl, AclOperation.WRITE, AclPermissionType.DENY)
    await asyncio.to_thread(admin.delete_acls([lifted])[lifted].result, SECONDS)
    await until(seen, may_write)


async def test_broker_without_authorization_reports_no_rights_and_creates_no_topic() -> None:
    with EvaluationBroker() as bootstrap:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        await create_topics(bootstrap, ["payment"])
        seen = await describe(producer, ["payment", "payout"], SECONDS)
        again = await describe(producer, ["payout"], SECONDS)
        await producer.stop()
    assert (seen["payment"].granted, set(seen["payment"].partitions)) == (None, {0, 1, 2, 3})
    assert seen["payout"].error == again["payout"].error == MISSING


@pytest.mark.kafka
async def test_topics_of_a_broker_without_topic_ids_are_described(
    consumer: AIOKafkaConsumer, kafka: ApacheKafka, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], partitions=2)
    await describe(consumer, [name], SECONDS)
    for connection in connections_of(consumer)._conns.values():  # noqa: SLF001 - pretends
        connection._versions[3] = (0, 9)  # noqa: SLF001 - as above
    seen = await describe(consumer, [name, f"{topics_prefix}payout"], SECONDS)
    assert (seen[name].topic_id, seen[name].granted) == (None, None)
    assert seen[name].partitions[1].leader == 1
    assert seen[f"{topics_prefix}payout"].error == MISSING
