"""A client's metadata about topics: what it knows, and what it requests."""

from collections.abc import Iterable
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from router.broker.adapter.private import (
    KafkaClient,
    MetadataUpdate,
    connections_of,
    wrap_metadata_update,
)


def add_topics(client: KafkaClient, topics: Iterable[str]) -> None:
    """Make a client request these topics too with its next metadata update."""
    for topic in topics:
        connections_of(client).add_topic(topic)


def knows_topic(client: KafkaClient, topic: str) -> bool:
    """Return whether a topic has partitions according to the client's last metadata."""
    return bool(connections_of(client).cluster.partitions_for_topic(topic))


async def update_metadata(client: KafkaClient) -> bool:
    """Request the metadata now; return whether a broker answered."""
    return bool(await connections_of(client).force_metadata_update())


def request_only(client: KafkaClient, topic: str) -> None:
    """Make a client request one topic, and log no error if the topic is missing.

    aiokafka's own update requests every topic of the broker until one is named,
    and logs an error at each request for a topic that does not exist.
    """
    wrap_metadata_update(client, lambda connections, _ask: _update_of(connections, topic))


def _update_of(connections: Any, topic: str) -> MetadataUpdate:  # noqa: ANN401 - aiokafka is untyped
    async def update(cluster: Any, _topics: Any) -> bool:  # noqa: ANN401 - aiokafka is untyped
        request = MetadataRequest([topic], allow_auto_topic_creation=False)
        for broker in cluster.brokers():
            try:
                answer = await connections.send(broker.nodeId, request)
            except (KafkaError, TimeoutError):
                continue
            # Not stored if missing: the client would log an error at every request.
            if any(each[0] == 0 for each in answer.topics):
                cluster.update_metadata(answer)
            return True
        return False

    return update
