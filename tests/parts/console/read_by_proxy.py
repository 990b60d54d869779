"""Fixtures: databases of the consumers, and a console that reads them, with people by a proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.brokers import Broker
from tests.parts.console.consumer_stores import ConsumerStores, consumer_stores
from tests.parts.console.serving import ServedConsole, served_console
from tests.parts.console.stored_deliveries import DeliveryTopics, delivery_topics
from tests.parts.templates import Templates


@pytest.fixture
async def stores(
    broker: Broker, topics_prefix: str, templates: Templates
) -> AsyncIterator[ConsumerStores]:
    """Yield empty databases of the consumers."""
    async with consumer_stores(broker, topics_prefix, templates) as stores:
        yield stores


@pytest.fixture
async def stored(broker: Broker, topics_prefix: str) -> AsyncIterator[DeliveryTopics]:
    """Yield topics without a delivery."""
    async with delivery_topics(broker, topics_prefix) as topics:
        yield topics


@pytest.fixture
async def console(
    stores: ConsumerStores, stored: DeliveryTopics, tmp_path: Path
) -> AsyncIterator[ServedConsole]:
    """Yield a console whose people are named by a proxy."""
    del stored  # its topics exist
    async with served_console(tmp_path, stores.configuration()) as console:
        yield console
