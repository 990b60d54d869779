"""A topic that would refuse a legal delivery for good makes the edge not ready."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from router.topic_room import TopicRoom

from router.telemetry.logs import get_log
from router.telemetry.management import Health
from tests.brokers import Broker, create_topics

GOOD = Health(good=True, detail="events can be kept")
AWAY = Health(good=False, detail="no broker")


async def _looked_at(broker: Broker, topics: list[str], needed: int) -> TopicRoom:
    room = TopicRoom({"bootstrap_servers": broker.bootstrap}, topics, needed, get_log("test"))
    await asyncio.wait_for(room._look(), 20)  # noqa: SLF001 - without the waiting around it
    return room


async def _make(broker: Broker, name: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        await admin.start()
        configs = {"max.message.bytes": str(size)}
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=configs)])
    finally:
        await admin.close()


@pytest.mark.kafka
async def test_a_topic_with_too_little_room_is_named(broker: Broker, topics_prefix: str) -> None:
    small, large = f"{topics_prefix}small", f"{topics_prefix}large"
    await _make(broker, small, 1000)
    await _make(broker, large, 5000)
    room = await _looked_at(broker, [small, large], 5000)
    health = room.health(GOOD)
    assert not health.good
    assert f"{small} takes 1000" in health.detail
    assert large not in health.detail


@pytest.mark.kafka
async def test_topics_with_room_leave_the_producers_word(
    broker: Broker, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [name])
    room = await _looked_at(broker, [name], 1000)
    assert room.health(GOOD) == GOOD
    assert room.health(AWAY) == AWAY


async def test_a_broker_that_does_not_tell_is_believed(broker: Broker, topics_prefix: str) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [name])
    room = await _looked_at(broker, [f"{topics_prefix}nowhere"], 10)
    assert room.problem is None
