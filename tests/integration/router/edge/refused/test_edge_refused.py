"""Samples of refused deliveries, on real sockets and a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from router.contract.refused import Refused
from router.contract.wire import decode_refused
from router.edge.app import EdgeProcess
from router.edge.refused import keeper as refused_keeper
from router.edge.refused.keeper import QUEUED, sample_producer_factory
from router.edge.refused.sample import sampled_delivery
from tests.parts.brokers import Broker, create_topics
from tests.parts.connections import connection_to
from tests.parts.edge.blockatm_requests import SIGNATURE
from tests.parts.edge.edge_server import (
    FOR_EVER,
    SECRET,
    TOKEN,
    Record,
    RunningEdge,
    configuration,
    make_topics,
    read_records,
    ready_edge,
    running_edge,
)
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import exchange, head, request
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.waiting import eventually

_PATIENCE_SECONDS = 60.0
_LOOKS = 10
_FORGED = GENUINE.with_body(GENUINE.body + b" ")
_GARBAGE = b"\xff\xfe{\x00'\x1b[2J"


async def _kept(edge: RunningEdge, count: int) -> list[Record]:
    """Wait until this many samples are on the topic and return them."""

    async def kept() -> bool:
        return await _counted(edge, "kept") >= count

    await eventually(kept, f"{count} samples kept")
    return await read_records(edge.settings.kafka.bootstrap_servers, [edge.topics.refused])


async def _samples(edge: RunningEdge, count: int) -> list[Refused]:
    return [decode_refused(each.value, each.headers) for each in await _kept(edge, count)]


async def _counted(edge: RunningEdge, result: str) -> float:
    text = (await edge.probe("/metrics")).body.decode()
    (value,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "payrouter_refused_samples_total" and sample.labels["result"] == result
    ]
    return value


async def _logged(edge: RunningEdge, event: str) -> Any:  # noqa: ANN401 - a line of log
    def lines() -> list[Any]:
        return [line for line in edge.log if line["event"] == event]

    await eventually(lines, f"a line of log: {event}")
    return lines()[0]


def _retrying(process: EdgeProcess) -> None:
    process.app.handler.refused.retry_seconds = 0.1


async def test_refused_delivery_is_stored_as_a_sample_and_never_as_an_event(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        forged = await edge.post(_FORGED.headers, _FORGED.body)
        bare = await edge.post(GENUINE.without(SIGNATURE).headers, _GARBAGE)
        samples = await _samples(edge, 2)

        assert (forged.status, bare.status) == (401, 401)
        assert await edge.records() == []
        found = {sample.reason: sample for sample in samples}
        assert found.keys() == {"signature_wrong", "signature_missing"}
        wrong = found["signature_wrong"]
        assert sampled_delivery(wrong).body == _FORGED.body
        assert sampled_delivery(found["signature_missing"]).body == _GARBAGE
        assert (wrong.endpoint, wrong.account, wrong.provider) == ("shop", "shop-eu", "blockatm")
        assert wrong.source == "127.0.0.1"
        assert (SIGNATURE.lower(), GENUINE.value(SIGNATURE)) in wrong.raw.headers
        assert [line["source"] for line in edge.delivery_lines()] == ["127.0.0.1"] * 2


async def test_neither_secret_nor_token_is_in_the_bytes_of_a_record(
    broker: Broker, topics_prefix: str
) -> None:
    headers = [
        *GENUINE.headers,
        ("Authorization", f"Bearer {SECRET}"),
        ("Cookie", "session=0123456789"),
        ("X-Debug", f"secret={SECRET} token={TOKEN}"),
    ]
    body = f'{{"secret":"{SECRET}","token":"{TOKEN}"}}'.encode()

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        target = f"/webhooks/guarded/{TOKEN}?again={TOKEN}&secret={SECRET}"
        answer = await edge.post(headers, body, target)
        (record,) = await _kept(edge, 1)

        assert answer.status == 401
        written = record.key + record.value + b"".join(value for _, value in record.headers)
        for hidden in (SECRET, TOKEN, "0123456789"):
            assert hidden.encode() not in written
        sample = decode_refused(record.value, record.headers)
        assert sample.raw.target == "/webhooks/guarded/{token}?again={masked}&secret={masked}"
        assert sample.masked


async def test_wrong_token_and_unknown_endpoint_are_not_sampled(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for target in ("/webhooks/guarded/wrong", "/webhooks/guarded", "/webhooks/nobody"):
            assert (await edge.post(_FORGED.headers, _FORGED.body, target)).status == 404
        await edge.post(_FORGED.headers, _FORGED.body)

        (sample,) = await _samples(edge, 1)
        assert sample.endpoint == "shop"


async def test_forbidden_address_is_sampled_without_reading_its_body(
    broker: Broker, topics_prefix: str
) -> None:
    values = configuration(broker.bootstrap, topics_prefix, trusted_proxies=["127.0.0.1"])
    values["endpoints"]["shop"]["allow_from"] = ["198.51.100.0/24"]
    await make_topics(broker.bootstrap, topics_prefix)
    headers = [*GENUINE.headers, ("X-Forwarded-For", "203.0.113.7")]

    async with running_edge(values) as edge:
        await edge.until_ready()
        # The body is announced and never sent.
        answer = await exchange(
            edge.port, head("/webhooks/shop", [*headers, ("Content-Length", "100")])
        )
        (sample,) = await _samples(edge, 1)

        assert answer.status == 403
        assert (sample.reason, sample.source) == ("address", "203.0.113.7")
        assert (sample.raw.body, sample.body_bytes) == ("", None)
        assert edge.delivery_lines()[-1]["source"] == "203.0.113.7"


async def test_samples_are_limited_per_endpoint_and_minute_and_in_size(
    broker: Broker, topics_prefix: str
) -> None:
    bounds: dict[str, Any] = {"refused_per_minute": 2, "refused_body_bytes": 100}
    async with ready_edge(broker.bootstrap, topics_prefix, **bounds) as edge:
        for _ in range(4):
            await edge.post(GENUINE.headers, b"x" * 5000)
        await edge.post(GENUINE.headers, b"x" * 5000, "/webhooks/shop-two")
        samples = await _samples(edge, 3)

        assert sorted(each.endpoint for each in samples) == ["shop", "shop", "shop-two"]
        assert await _counted(edge, "limited") == 2
        assert {each.raw.body for each in samples} == {"x" * 100}
        assert {(each.truncated, each.body_bytes) for each in samples} == {(True, 5000)}


async def test_limit_of_zero_stores_no_samples(broker: Broker, topics_prefix: str) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix, refused_per_minute=0) as edge:
        assert (await edge.post(_FORGED.headers, _FORGED.body)).status == 401
        assert await _counted(edge, "limited") == 1
        assert not edge.process.app.handler.refused.queue


@pytest.mark.kafka
async def test_missing_topic_delays_only_the_samples(broker: Broker, topics_prefix: str) -> None:
    values = configuration(broker.bootstrap, topics_prefix)
    async with running_edge(values, change=_retrying) as edge:
        await create_topics(
            broker.bootstrap, [*edge.topics.events, edge.topics.quarantine], configs=FOR_EVER
        )
        await edge.until_ready()
        forged = await edge.post(_FORGED.headers, _FORGED.body)
        line = await _logged(edge, "refused_topic_unavailable")
        genuine = await edge.post(GENUINE.headers, GENUINE.body)
        ready = await edge.probe("/readyz")

        assert (forged.status, genuine.status, ready.status) == (401, 200, 200)
        assert edge.topics.refused in line["detail"]
        assert "run `payrouter topics apply`" in line["detail"]
        assert len(edge.process.app.handler.refused.queue) == 1

        await create_topics(broker.bootstrap, [edge.topics.refused])
        (sample,) = await _samples(edge, 1)
        assert sample.reason == "signature_wrong"
        await _logged(edge, "refused_topic_available")


@pytest.mark.kafka
async def test_edge_never_triggers_automatic_topic_creation(topics_prefix: str) -> None:
    kafka = ApacheKafka({"auto.create.topics.enable": "true"})
    looks = asyncio.Semaphore(0)

    def change(process: EdgeProcess) -> None:
        make = process.app.handler.refused.make
        _retrying(process)

        def counted() -> AIOKafkaProducer:
            looks.release()
            return make()

        process.app.handler.refused.make = counted

    try:
        await asyncio.to_thread(kafka.start)
        values = configuration(kafka.bootstrap, topics_prefix)
        async with running_edge(values, change=change) as edge:
            await create_topics(
                kafka.bootstrap, [*edge.topics.events, edge.topics.quarantine], configs=FOR_EVER
            )
            await edge.until_ready()
            await edge.post(_FORGED.headers, _FORGED.body)
            # A topic created by one request is there for a later one, which then creates no other.
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for _ in range(_LOOKS):
                    await looks.acquire()

            assert edge.topics.refused not in await _topics(kafka.bootstrap)
            assert len(edge.process.app.handler.refused.queue) == 1
    finally:
        await asyncio.to_thread(kafka.destroy)


async def _topics(bootstrap: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        return list(await admin.list_topics())
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def _silent_port() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Listen on a port that accepts connections and answers nothing."""
    connected = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        while await reader.read(4096):
            pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], connected
    finally:
        server.close()


def _samples_to(port: int, topic: str) -> Callable[[EdgeProcess], None]:
    """Return a change that points the samples' producer to another broker than the events'."""
    kafka = connection_to(f"127.0.0.1:{port}")

    def change(process: EdgeProcess) -> None:
        make = sample_producer_factory(kafka, topic, 1024 * 1024)
        process.app.handler.refused.make = make

    return change


async def test_broker_that_does_not_answer_samples_delays_no_answer(
    broker: Broker, topics_prefix: str
) -> None:
    async with (
        _silent_port() as (port, connected),
        ready_edge(
            broker.bootstrap,
            topics_prefix,
            refused_per_minute=1000,
            change=_samples_to(port, f"{topics_prefix}refused"),
        ) as edge,
    ):
        await edge.post(_FORGED.headers, _FORGED.body)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await connected.wait()
        forged = [await edge.post(_FORGED.headers, _FORGED.body) for _ in range(QUEUED + 5)]
        genuine = await edge.post(GENUINE.headers, GENUINE.body)
        ready = await edge.probe("/readyz")

        assert {answer.status for answer in forged} == {401}
        assert (genuine.status, ready.status) == (200, 200)
        assert len(edge.process.app.handler.refused.queue) == QUEUED
        assert await _counted(edge, "dropped") == 6
        assert await _counted(edge, "kept") == 0


async def test_forgery_is_refused_without_any_broker(topics_prefix: str) -> None:
    async with running_edge(configuration("127.0.0.1:1", topics_prefix)) as edge:
        answer = await exchange(edge.port, request("/webhooks/shop", _FORGED.headers, _FORGED.body))
        line = await _logged(edge, "refused_topic_unavailable")

        assert answer.status == 401
        assert line["detail"].startswith("127.0.0.1:1: nothing listens there")


async def test_failed_sample_is_logged_and_the_delivery_is_still_refused(
    broker: Broker, topics_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> Refused:
        message = "no sample of this"
        raise ValueError(message)

    monkeypatch.setattr(refused_keeper, "sample_of", fail)
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await edge.post(_FORGED.headers, _FORGED.body)

        assert answer.status == 401
        assert (await _logged(edge, "refused_sample_failed"))["endpoint"] == "shop"
        assert await _counted(edge, "failed") == 1
