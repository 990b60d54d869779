"""The broker is killed, frozen and restarted under load: every successful answer is durable."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from router.contract.topics import Topics
from tests.parts.edge.blockatm_requests import Webhook, payment_webhook
from tests.parts.edge.edge_server import (
    FOR_EVER,
    RunningEdge,
    configuration,
    make_topics,
    running_edge,
)
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import Answer
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

_DEADLINE_SECONDS = 1.0
_MARGIN_SECONDS = 2.0
_SENDERS = 8
_PAUSE_SECONDS = 0.05
_QUICK = "/webhooks/quick_one"


@dataclass(frozen=True)
class _Outcome:
    """One delivery of the load."""

    order: str
    status: int
    seconds: float


async def _load(edge: RunningEdge, stopped: asyncio.Event) -> list[_Outcome]:
    """Send deliveries from several senders until stopped."""
    outcomes: list[_Outcome] = []

    async def send(sender: int) -> None:
        number = 0
        while not stopped.is_set():
            order = f"{sender}-{number}"
            sent = payment_webhook(orderNo=order, id=sender * 1_000_000 + number)
            started = time.monotonic()
            answer = await edge.post(sent.headers, sent.body, _QUICK)
            outcomes.append(_Outcome(order, answer.status, time.monotonic() - started))
            number += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(*(send(sender) for sender in range(_SENDERS)))
    return outcomes


async def _through(
    edge: RunningEdge, gone: Callable[[], object], back: Callable[[], object]
) -> set[str]:
    """Interrupt the broker under load and restore it; return the orders that are durable."""
    stopped = asyncio.Event()
    load = asyncio.create_task(_load(edge, stopped))
    await asyncio.sleep(1)
    await asyncio.to_thread(gone)
    await edge.until_ready(ready=False)
    away = [await edge.post(GENUINE.headers, GENUINE.body, _QUICK) for _ in range(3)]
    await asyncio.sleep(1)
    assert (await edge.probe("/readyz")).status == 503
    assert (await edge.probe("/healthz")).status == 200
    await asyncio.to_thread(back)
    await edge.until_ready()
    await asyncio.sleep(1)
    stopped.set()
    outcomes = await load

    assert [(answer.status, answer.header("retry-after")) for answer in away] == [(503, "5")] * 3
    assert {outcome.status for outcome in outcomes} == {200, 503}
    assert max(outcome.seconds for outcome in outcomes) < _DEADLINE_SECONDS + _MARGIN_SECONDS
    return {outcome.order for outcome in outcomes if outcome.status == 200}


@pytest.mark.parametrize("how", ["killed", "frozen", "stopped"])
async def test_successful_answers_are_durable_through_broker_failures(
    own_kafka: ApacheKafka, topics_prefix: str, how: str
) -> None:
    gone, back = {
        "killed": (own_kafka.kill, own_kafka.start),
        "frozen": (own_kafka.pause, own_kafka.resume),
        "stopped": (own_kafka.stop, own_kafka.start),
    }[how]
    await make_topics(own_kafka.bootstrap, topics_prefix)

    async with running_edge(configuration(own_kafka.bootstrap, topics_prefix)) as edge:
        await edge.until_ready()
        kept = await _through(edge, gone, back)
        after = await edge.post(GENUINE.headers, GENUINE.body, _QUICK)
        records = await edge.records()

        assert after.status == 200
        assert kept <= {json.loads(record.value)["reference"] for record in records}
        counted, reasons = await edge.counted(), await edge.reasons()
        assert counted["quick_one", "accepted"] == len(kept) + 1
        assert counted["quick_one", "failed"] > 3
        assert reasons["blockatm", "failed", "not_durable"] == counted["quick_one", "failed"]


async def test_an_edge_that_starts_before_its_broker_waits_for_it(
    own_kafka: ApacheKafka, topics_prefix: str
) -> None:
    await make_topics(own_kafka.bootstrap, topics_prefix)
    await asyncio.to_thread(own_kafka.stop)

    async with running_edge(configuration(own_kafka.bootstrap, topics_prefix)) as edge:
        early = await edge.post(GENUINE.headers, GENUINE.body, _QUICK)
        ready = await edge.probe("/readyz")
        await asyncio.to_thread(own_kafka.start)
        await edge.until_ready()
        later = await edge.post(GENUINE.headers, GENUINE.body, _QUICK)

        assert (early.status, ready.status, later.status) == (503, 503, 200)
        assert len(await edge.records()) == 1


async def test_edge_with_missing_topics_is_not_ready_and_names_them(
    own_kafka: ApacheKafka, topics_prefix: str
) -> None:
    topics = Topics(topics_prefix)
    await _create(own_kafka, [_sound(name) for name in topics.events])

    async with running_edge(configuration(own_kafka.bootstrap, topics_prefix)) as edge:
        answer = await _until_it_names(edge, topics.quarantine)
        # Before the first comparison of the topics nothing is acknowledged.
        await _until_taken(edge, GENUINE)
        await _create(own_kafka, [_sound(topics.quarantine)])
        await edge.until_ready()

        assert answer.status == 503
        assert topics.name("payment") not in answer.body.decode()


async def test_refused_record_is_not_a_success_and_others_continue(
    own_kafka: ApacheKafka, topics_prefix: str
) -> None:
    topics = Topics(topics_prefix)
    tiny = NewTopic(topics.name("payment"), 1, 1, topic_configs={"max.message.bytes": "3000"})
    others = [topics.name("payout"), topics.name("subscription"), topics.quarantine]
    await _create(own_kafka, [tiny, *map(_sound, others)])
    large, unknown = payment_webhook(note="x" * 5000), payment_webhook(status="PAID")

    async with running_edge(configuration(own_kafka.bootstrap, topics_prefix)) as edge:
        ready = await _until_it_names(edge, topics.name("payment"))
        for sent in (GENUINE, unknown):
            await _until_taken(edge, sent)
            refused = await edge.post(large.headers, large.body, _QUICK)
            assert (refused.status, refused.header("retry-after")) == (503, "5")
            await _until_taken(edge, sent)
        records = await edge.records()

        assert ready.status == 503
        assert {record.topic for record in records} == {topics.name("payment"), topics.quarantine}
        assert all(b"xxxxx" not in record.value for record in records)


async def _until_it_names(edge: RunningEdge, topic: str) -> Answer:
    async with asyncio.timeout(30):
        while True:
            answer = await edge.probe("/readyz")
            if topic.encode() in answer.body:
                return answer
            await asyncio.sleep(0.05)


async def _until_taken(edge: RunningEdge, sent: Webhook) -> None:
    """Send until it is accepted, as a gateway does: a producer may be replaced in between."""

    async def taken() -> bool:
        return (await edge.post(sent.headers, sent.body, _QUICK)).status == 200

    await eventually(taken, "an accepted delivery", seconds=30, pause=0.1)


def _sound(name: str) -> NewTopic:
    return NewTopic(name, 12, 1, topic_configs=FOR_EVER)


async def _create(kafka: ApacheKafka, topics: list[NewTopic]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics(topics)
    finally:
        await admin.close()
