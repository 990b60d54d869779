"""Keeps aiokafka's producer from asking the broker for its metadata without a pause.

While a partition it has records for has no leader, its sender asks again as soon as it has an
answer, even if that is that no broker could be reached: thousands of rounds a second, until the
leader is back. A broker that shuts down in order says last that there is none. Each round is two
lines of log.
"""

from asyncio import sleep
from typing import Any

from aiokafka import AIOKafkaProducer

from router.broker.adapter.private import MetadataUpdate, wrap_metadata_update

PAUSE_SECONDS = 0.1
"""What aiokafka waits between two tries of everything else, and Kafka's own client here too."""


def paced(producer: AIOKafkaProducer, pause_seconds: float = PAUSE_SECONDS) -> AIOKafkaProducer:
    """Make a round that did not find every leader take a while longer. Returns the producer."""

    def wrap(_client: Any, ask: MetadataUpdate) -> MetadataUpdate:  # noqa: ANN401 - aiokafka is untyped
        async def asked(cluster: Any, topics: Any) -> bool:  # noqa: ANN401 - aiokafka is untyped
            updated = await ask(cluster, topics)
            if not updated or _leaderless(cluster):
                await sleep(pause_seconds)
            return updated

        return asked

    wrap_metadata_update(producer, wrap)
    return producer


def _leaderless(cluster: Any) -> bool:  # noqa: ANN401 - aiokafka is untyped
    return any(
        cluster.available_partitions_for_topic(topic) != cluster.partitions_for_topic(topic)
        for topic in cluster.topics()
    )
