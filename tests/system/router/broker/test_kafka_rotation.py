"""A Kafka password that is rotated is used at the next connection, by clients that live on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import SecretStr

from consumers.runtime.member.subscription import RebalanceListener, Subscription
from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.broker.client import client_options
from router.broker.connection import KafkaConnection
from router.broker.credentials import KafkaCredentials
from router.configuration.settings import settings_from
from router.contract.topics import Topics
from router.edge.publishing.publish import producer_factory
from tests.parts.brokers import create_topics
from tests.parts.kafka.guarded import Guarded

_OLD, _NEW = "old-hidden-0123456789", "new-hidden-0123456789"
_PATIENCE_SECONDS = 60.0


@pytest.fixture
def guarded(mechanism: str) -> Iterator[Guarded]:
    """Run such a broker."""
    broker = Guarded(mechanism)
    try:
        yield broker
    finally:
        broker.node.destroy()


def _kafka(guarded: Guarded, file: Path) -> KafkaConnection:
    values = {
        "bootstrap_servers": guarded.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": guarded.mechanism,
        "sasl_username": "edge",
        "sasl_password_file": str(file),
    }
    return KafkaConnection.of(settings_from({"kafka": values}).kafka)


async def _sent(producer: AIOKafkaProducer, topic: str) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await producer.send_and_wait(topic, b"value", partition=0)


@contextlib.asynccontextmanager
async def _subscribed(kafka: KafkaConnection, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Give the client of a consumer that has joined its group."""
    settings = ConsumerSettings(
        name="ledger",
        kafka=kafka,
        database_url=SecretStr("postgresql+asyncpg://nowhere/x"),
        topics=Topics(),
        tuning=Tuning(session_timeout_seconds=30),
    )
    assigned = asyncio.Event()

    def on_assigned(_partitions: set[Partition]) -> None:
        assigned.set()

    async def on_revoked() -> None:
        assigned.clear()

    subscription = Subscription(settings, [topic], RebalanceListener(on_assigned, on_revoked))
    client = await subscription.start()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await assigned.wait()
        yield client
    finally:
        await subscription.stop()


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_clients_that_live_on_sign_in_with_the_password_of_now(
    guarded: Guarded, topics_prefix: str, tmp_path: Path
) -> None:
    file, topic = tmp_path / "password", f"{topics_prefix}payment"
    file.write_text(f"{_OLD}\n")
    await asyncio.to_thread(guarded.start, _OLD)
    await create_topics(guarded.node.bootstrap, [topic])
    kafka = _kafka(guarded, file)
    producer = producer_factory(kafka, 1024 * 1024)()
    await producer.start()

    async with _subscribed(kafka, topic) as consumer:
        await _sent(producer, topic)
        draft = tmp_path / "draft"
        draft.write_text(f"\ufeff{_NEW}\r\n")
        draft.replace(file)
        await asyncio.to_thread(guarded.start, _NEW)
        await _sent(producer, topic)
        (partition,) = [tp for tp in consumer.assignment() if tp.partition == 0]
        consumer.seek(partition, 0)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            records = [await consumer.getone(partition), await consumer.getone(partition)]
    await producer.stop()

    assert [record.value for record in records] == [b"value", b"value"]
    assert client_options(kafka)["sasl_plain_password"] == _NEW
    assert _NEW not in repr(kafka)


async def test_a_password_file_that_cannot_be_read_leaves_the_last_password(
    tmp_path: Path,
) -> None:
    file = tmp_path / "password"
    file.write_text(_OLD)
    values = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "edge",
        "sasl_password_file": str(file),
    }
    credentials = KafkaCredentials(settings_from({"kafka": values}).kafka)
    seen = []
    for text in (None, "", "two words", "REPLACE-me", _NEW):
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        seen.append(credentials.password)

    assert seen == [_OLD] * 4 + [_NEW]
