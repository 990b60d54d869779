"""An edge on a real Kafka whose topics could lose acknowledged events."""

import asyncio

import pytest

from router.edge.app import EdgeProcess
from tests.parts.broker.topic_admin import make, maker, set_configs
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import payment_webhook
from tests.parts.edge.edge_server import (
    RunningEdge,
    configuration,
    make_topics,
    ready_edge,
    running_edge,
)

PAYMENT = payment_webhook()
UNKNOWN = payment_webhook(status="PAID")
"""A genuine delivery that goes to quarantine."""


def _soon(process: EdgeProcess) -> None:
    process.topics.interval_seconds = process.topics.retry_seconds = 0.1


async def _names(edge: RunningEdge, words: str) -> str:
    async with asyncio.timeout(30):
        while True:
            answer = await edge.probe("/readyz")
            if words in answer.body.decode():
                return answer.body.decode()
            await asyncio.sleep(0.05)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("topic", "configs", "words"),
    [
        ("quarantine", {"retention_ms": "604800000"}, "has retention.ms 7 days, needs forever"),
        ("payment", {"cleanup_policy": "compact"}, "has cleanup.policy compact, needs delete"),
        ("payment", {"retention_ms": "3600000"}, "has retention.ms 1 hour"),
    ],
)
async def test_a_delivery_is_not_acknowledged_while_its_topic_could_lose_it(
    broker: Broker, topics_prefix: str, topic: str, configs: dict[str, str], words: str
) -> None:
    name = f"{topics_prefix}{topic}"
    endangered, sound = (UNKNOWN, PAYMENT) if topic == "quarantine" else (PAYMENT, UNKNOWN)
    async with ready_edge(broker.bootstrap, topics_prefix, change=_soon) as edge:
        await set_configs(broker.bootstrap, name, **configs)
        said = await _names(edge, words)
        refused = await edge.post(endangered.headers, endangered.body)
        taken = await edge.post(sound.headers, sound.body)

        assert f"topic {name} {words}" in said
        assert (await edge.probe("/readyz")).status == 503
        assert (refused.status, refused.header("retry-after")) == (503, "5")
        # Deliveries to a sound topic are not affected.
        assert taken.status == 200
        assert {record.topic for record in await edge.records()}.isdisjoint({name})
        metrics = (await edge.probe("/metrics")).body.decode()
        assert f'payrouter_topic_endangered{{topic="{name}"}} 1.0' in metrics
        assert 'payrouter_publish_failures_total{reason="endangered"} 1.0' in metrics

        sound_again = {"retention_ms": "-1", "cleanup_policy": "delete"}
        await set_configs(broker.bootstrap, name, **sound_again)
        await edge.until_ready()
        assert (await edge.post(endangered.headers, endangered.body)).status == 200


@pytest.mark.kafka
async def test_topic_with_a_small_size_limit_accepts_records_that_fit(
    broker: Broker, topics_prefix: str
) -> None:
    payment = f"{topics_prefix}payment"
    async with ready_edge(broker.bootstrap, topics_prefix, change=_soon) as edge:
        await set_configs(broker.bootstrap, payment, max_message_bytes="20000")
        said = await _names(edge, "has max.message.bytes 20000 bytes")
        taken = await edge.post(PAYMENT.headers, PAYMENT.body)

        assert "payrouter topics apply --alter" in said
        assert taken.status == 200


@pytest.mark.kafka
async def test_with_too_few_replicas_that_must_be_in_sync_nothing_is_acknowledged(
    broker: Broker, topics_prefix: str
) -> None:
    values = configuration(broker.bootstrap, topics_prefix)
    values["topics"] = {"prefix": topics_prefix}
    for topic in ("payment", "payout", "subscription", "quarantine"):
        await make(broker.bootstrap, f"{topics_prefix}{topic}", 12, retention_ms="-1")
    async with running_edge(values, change=_soon) as edge:
        said = await _names(edge, "has replication factor 1, needs 3 or more")
        answer = await edge.post(PAYMENT.headers, PAYMENT.body)

        assert "kafka-reassign-partitions.sh" in said
        assert answer.status == 503


async def test_nothing_is_acknowledged_before_the_topics_are_compared(
    broker: Broker, topics_prefix: str
) -> None:
    def silent(process: EdgeProcess) -> None:
        process.topics.make = maker("127.0.0.1:1")

    await make_topics(broker.bootstrap, topics_prefix)
    values = configuration(broker.bootstrap, topics_prefix)
    async with running_edge(values, change=silent) as edge:
        said = await _names(edge, "the topics were not compared yet")
        answer = await edge.post(PAYMENT.headers, PAYMENT.body)

        assert "events can be published" not in said
        assert answer.status == 503
