"""A topic and a database for guarded services in the process of the test."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.brokers import Broker, create_topics
from tests.parts.exactly_once.living import Living, living


@pytest.fixture
async def feed(broker: Broker, database_url: str, topics_prefix: str) -> AsyncIterator[Living]:
    """Yield a topic with four partitions and an empty database."""
    topic = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [topic])
    async with living(broker.bootstrap, topic, database_url) as own:
        yield own
