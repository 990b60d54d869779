"""A producer whose broker is down, or has no leader, pauses between requests."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumers.runtime.member.relay import relay_producer
from router.broker.pacing import paced
from router.edge.publishing.publish import producer_factory
from tests.parts.brokers import Broker, create_topics
from tests.parts.connections import connection_to

ROUNDS = 5
PAUSE = 0.2


def of_the_edge(bootstrap: str) -> AIOKafkaProducer:
    return producer_factory(connection_to(bootstrap), 1024 * 1024)()


def of_a_relay(bootstrap: str) -> AIOKafkaProducer:
    return relay_producer(connection_to(bootstrap))


MAKERS = [pytest.param(of_the_edge, id="edge"), pytest.param(of_a_relay, id="relay")]


class Pauses:
    """Replaces the pause, and counts."""

    def __init__(self) -> None:
        """Start without a pause."""
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Record it, and let other tasks run."""
        self.seconds.append(seconds)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    found = Pauses()
    monkeypatch.setattr("router.broker.pacing.sleep", found)
    return found


def answering(producer: AIOKafkaProducer, *, updated: bool) -> None:
    """Answer every round in this way, without a broker."""

    async def ask(_cluster: Any, _topics: Any) -> bool:  # noqa: ANN401 - aiokafka is untyped
        return updated

    producer.client._metadata_update = ask  # noqa: SLF001 - what is paced


async def rounds(producer: AIOKafkaProducer) -> None:
    for _ in range(ROUNDS):
        await producer.client._metadata_update(producer.client.cluster, set())  # noqa: SLF001


async def test_unanswered_round_is_followed_by_a_pause(pauses: Pauses) -> None:
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:9")
    answering(producer, updated=False)

    await rounds(paced(producer, PAUSE))

    assert pauses.seconds == [PAUSE] * ROUNDS
    await producer.stop()


@pytest.mark.parametrize("make", MAKERS)
async def test_producers_are_paced_only_if_a_leader_is_missing(
    broker: Broker, topics_prefix: str, pauses: Pauses, make: Callable[[str], AIOKafkaProducer]
) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [topic])
    producer = make(broker.bootstrap)
    await producer.start()
    try:
        await producer.client.add_topic(topic)
        while producer.client.cluster.available_partitions_for_topic(topic) is None:
            assert await producer.client.force_metadata_update()
        pauses.seconds.clear()
        assert await producer.client.force_metadata_update()
        assert pauses.seconds == []

        # The state of a partition after the last message of a broker that shuts down cleanly.
        _without_leader(producer.client.cluster, topic)
        answering_still = producer.client.cluster.update_metadata
        producer.client.cluster.update_metadata = lambda _answer: None
        assert await producer.client.force_metadata_update()
        producer.client.cluster.update_metadata = answering_still
        assert len(pauses.seconds) == 1
    finally:
        await asyncio.wait_for(producer.stop(), 10)


def _without_leader(cluster: Any, topic: str) -> None:  # noqa: ANN401 - aiokafka is untyped
    partitions = cluster._partitions[topic]  # noqa: SLF001 - no other way to have none
    number, found = next(iter(partitions.items()))
    partitions[number] = found._replace(leader=-1)
