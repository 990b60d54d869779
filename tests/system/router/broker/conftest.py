"""The brokers for the tests of what we ask of brokers."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer

from tests.parts.kafka.apache_kafka import ApacheKafka

_PROPERTIES: Final = {
    # Each of these is what a test needs to see our requests do without it, or in spite of it.
    "auto.create.topics.enable": "true",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "log.cleaner.backoff.ms": "50",
}


@pytest.fixture(scope="package")
def kafka() -> Iterator[ApacheKafka]:
    """Give a Kafka that creates topics when asked for them, checks rights, and compacts at once."""
    node = ApacheKafka(_PROPERTIES)
    try:
        node.start()
        yield node
    finally:
        node.destroy()


@pytest.fixture
async def consumer(kafka: ApacheKafka) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer to ask with, which reads nothing of its own accord."""
    client = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
