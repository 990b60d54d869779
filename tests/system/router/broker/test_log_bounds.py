"""Bounds of logs, and the last stable offset before an open transaction."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from router.broker.log import bounds as module_of_bounds
from router.broker.log.bounds import LogBounds, log_bounds
from router.evaluation.embedded import EvaluationBroker
from tests.parts.brokers import create_topics
from tests.parts.kafka.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka
SECONDS = 10.0


async def test_open_transaction_limits_the_readable_log_and_deletion_moves_its_start(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], partitions=2)
    first, second = TopicPartition(name, 0), TopicPartition(name, 1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await admin.start()
    async with producer.transaction():
        for _ in range(4):
            await producer.send_and_wait(name, b"1", partition=0)
    await admin.delete_records({first: RecordsToDelete(before_offset=2)})
    await producer.begin_transaction()
    for _ in range(3):
        await producer.send_and_wait(name, b"2", partition=0)
    wanted = [first, second, TopicPartition(name, 9), TopicPartition(f"{name}.none", 0)]
    open_ = await log_bounds(consumer, wanted, SECONDS)
    assert open_ == {first: LogBounds(2, 5, 8), second: LogBounds(0, 0, 0)}
    await producer.abort_transaction()
    closed = await log_bounds(admin, [first], SECONDS)
    assert closed == {first: LogBounds(2, 9, 9)}
    await producer.stop()
    await admin.close()


async def test_partitions_of_an_absent_leader_are_left_out(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], partitions=1)

    async def elsewhere(*_: object) -> dict[int, list[TopicPartition]]:
        return {1: [TopicPartition(name, 0)], 99: [TopicPartition(name, 1)]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_of_bounds, "_leaders", elsewhere)
        assert await log_bounds(consumer, [], SECONDS) == {
            TopicPartition(name, 0): LogBounds(0, 0, 0)
        }


async def test_the_evaluation_broker_answers_too() -> None:
    with EvaluationBroker() as bootstrap:
        await create_topics(bootstrap, ["payment"])
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        await producer.send_and_wait("payment", b"1", partition=2)
        here = TopicPartition("payment", 2)
        assert await log_bounds(producer, [here], SECONDS) == {here: LogBounds(0, 1, 1)}
        await producer.stop()
