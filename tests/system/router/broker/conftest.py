"""Brokers for the tests of our requests."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer

from tests.parts.kafka.apache_kafka import ApacheKafka

_PROPERTIES: Final = {
    # Each setting is one that a test needs to show that our requests work with it or despite it.
    "auto.create.topics.enable": "true",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "log.cleaner.backoff.ms": "50",
}


@pytest.fixture(scope="package")
def kafka() -> Iterator[ApacheKafka]:
    """Run a Kafka that creates requested topics, checks rights, and compacts at once."""
    node = ApacheKafka(_PROPERTIES)
    try:
        node.start()
        yield node
    finally:
        node.destroy()


@pytest.fixture
async def consumer(kafka: ApacheKafka) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer for requests, which fetches nothing by itself."""
    client = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
