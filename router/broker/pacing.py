"""Pauses between the metadata requests of aiokafka's producer.

While a partition with pending records has no leader, the producer's sender requests metadata again
as soon as it has an answer, even if no broker could be reached: thousands of requests a second,
until there is a leader. A broker that shuts down in order reports at the end that there is none.
Each request writes two log lines.
"""

from asyncio import sleep
from typing import Any

from aiokafka import AIOKafkaProducer

from router.broker.adapter.private import MetadataUpdate, wrap_metadata_update

PAUSE_SECONDS = 0.1
"""Back-off of aiokafka for all other requests, and of Kafka's own client for this one too."""


def paced(producer: AIOKafkaProducer, pause_seconds: float = PAUSE_SECONDS) -> AIOKafkaProducer:
    """Pause after each metadata update that did not find every leader. Returns the producer."""

    def wrap(_client: Any, inner: MetadataUpdate) -> MetadataUpdate:  # noqa: ANN401 - aiokafka is untyped
        async def update(cluster: Any, topics: Any) -> bool:  # noqa: ANN401 - aiokafka is untyped
            updated = await inner(cluster, topics)
            if not updated or _leaderless(cluster):
                await sleep(pause_seconds)
            return updated

        return update

    wrap_metadata_update(producer, wrap)
    return producer


def _leaderless(cluster: Any) -> bool:  # noqa: ANN401 - aiokafka is untyped
    return any(
        cluster.available_partitions_for_topic(topic) != cluster.partitions_for_topic(topic)
        for topic in cluster.topics()
    )
