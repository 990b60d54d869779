"""A broker that goes away: the consumer says so, comes back by itself, and can be stopped."""

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime import app, client, subscription
from tests.brokers import Broker
from tests.consumers.runtime.counting import effects_of, id_of, numbered
from tests.consumers.runtime.members import feeding, halted, ready
from tests.kafka.apache_kafka import ApacheKafka


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everything that has a deadline a short one."""
    monkeypatch.setattr(client, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(subscription, "STOP_SECONDS", 1.0)
    monkeypatch.setattr(app, "BROKER_SECONDS", 1.0)


async def test_a_consumer_outlives_its_broker(
    own_kafka: ApacheKafka, counting: AsyncEngine, topics_prefix: str
) -> None:
    broker = Broker(own_kafka.bootstrap, "the test's own", real=True)
    async with feeding(broker, counting, topics_prefix) as feed:
        await feed.send(map(numbered, range(10)))
        async with feed.member() as process:
            await feed.applied(10)
            own_kafka.kill()
            await halted(process, "cannot consume from the broker")
            assert process.alive().good
            own_kafka.start()
            await feed.send(map(numbered, range(10, 20)), partition=1)
            await feed.applied(20)
            await ready(process)
            own_kafka.pause()
            await halted(process, "cannot consume from the broker")
            own_kafka.resume()
            await ready(process)
            await feed.send(map(numbered, range(20, 30)), partition=2)
            await feed.applied(30)
        assert sorted(await effects_of(counting)) == sorted(map(id_of, range(30)))


async def test_a_stop_does_not_wait_for_the_broker(
    own_kafka: ApacheKafka, counting: AsyncEngine, topics_prefix: str
) -> None:
    broker = Broker(own_kafka.bootstrap, "the test's own", real=True)
    async with feeding(broker, counting, topics_prefix) as feed:
        async with feed.member() as process:
            await ready(process)
            own_kafka.pause()
        own_kafka.resume()
        assert isinstance(feed.producer, AIOKafkaProducer)
