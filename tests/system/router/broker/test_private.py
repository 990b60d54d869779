"""All private parts of aiokafka that we use exist and behave as expected."""

import asyncio
import inspect
import socket
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError
from aiokafka.protocol import api
from aiokafka.protocol.types import Int64, Schema
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.structs import BrokerMetadata

from router.broker.adapter.private import (
    MetadataUpdate,
    ask,
    await_partitions,
    before_each_request,
    connections_of,
    leader_of,
    wrap_metadata_update,
)
from router.broker.adapter.requests import (
    EARLIEST,
    READ_UNCOMMITTED,
    TopicsRequest,
    offsets_request,
)
from tests.parts.brokers import create_topics
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.source import ROOT
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka
SECONDS = 10.0
_FETCH = 1


def test_the_version_of_aiokafka_has_an_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (needed,) = [each for each in project["dependencies"] if each.startswith("aiokafka")]
    assert needed.endswith(",<0.15"), "these tests have not seen a later one"


async def test_every_client_can_send_our_requests(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await admin.start()
    for client in (consumer, producer, admin, connections_of(consumer)):
        assert isinstance(connections_of(client), AIOKafkaClient)
        for node in (None, 1):
            answer = await ask(client, TopicsRequest(["none"]), node=node, seconds=SECONDS)
            assert [broker[0] for broker in answer.brokers] == [1]
    await producer.stop()
    await admin.close()


async def test_request_does_not_wait_for_a_fetch(kafka: ApacheKafka, topics_prefix: str) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], partitions=1)
    waiting = AIOKafkaConsumer(name, bootstrap_servers=kafka.bootstrap, fetch_max_wait_ms=60_000)
    await waiting.start()
    poll = asyncio.create_task(waiting.getone())
    connections = connections_of(waiting)._conns  # noqa: SLF001 - looks on
    await eventually(
        lambda: _fetching(connections.values()), "a fetch", seconds=SECONDS, pause=0.01
    )
    request = offsets_request({name: [0]}, READ_UNCOMMITTED, EARLIEST)
    answer = await ask(waiting, request, node=1, seconds=SECONDS)
    assert answer.topics == [(name, [(0, 0, -1, 0)])]
    assert not poll.done()
    poll.cancel()
    await waiting.stop()
    assert not any(connection.connected() for connection in connections.values())


def _fetching(connections: Iterable[Any]) -> bool:
    sent = [sent for connection in connections for _, sent, _ in connection._requests]  # noqa: SLF001 - looks on
    return any(request.API_KEY == _FETCH for request in sent)


class Unexpected(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """A schema that needs more bytes than any answer has."""

    API_KEY = 3
    API_VERSION = 5
    SCHEMA = Schema(*((f"field{number}", Int64) for number in range(10_000)))


class RequestResult(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """A request whose answer cannot be decoded."""

    API_KEY = 3
    API_VERSION = 5
    RESPONSE_TYPE = Unexpected
    SCHEMA = Schema(("topics", Int64), ("more", Int64))


async def test_undecodable_answer_closes_only_its_own_connection(
    consumer: AIOKafkaConsumer,
) -> None:
    class Question(api.Request[RequestResult]):  # type: ignore[misc] # aiokafka is untyped
        API_KEY = 3

        def build(self, version: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
            return version(0, 0)

    await consumer.topics()
    own = dict(connections_of(consumer)._conns)  # noqa: SLF001 - looks on
    with pytest.raises((KafkaError, TimeoutError)):
        await ask(consumer, Question(), node=1, seconds=SECONDS)
    assert [connection.connected() for connection in own.values()] == [True] * len(own)
    await ask(consumer, TopicsRequest(["none"]), seconds=SECONDS)


async def test_absent_broker_raises_a_kafka_error(consumer: AIOKafkaConsumer) -> None:
    with pytest.raises(NodeNotReadyError):
        await ask(consumer, TopicsRequest(["none"]), node=99, seconds=SECONDS)
    connections_of(consumer).cluster._brokers = {}  # noqa: SLF001 - as before the first answer
    with pytest.raises((NodeNotReadyError, KafkaConnectionError)):
        await ask(consumer, TopicsRequest(["none"]), seconds=SECONDS)


async def test_frozen_broker_leaves_time_for_another(
    consumer: AIOKafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        cluster = connections_of(consumer).cluster
        cluster._brokers[2] = BrokerMetadata(2, "127.0.0.1", port, None)  # noqa: SLF001 - adds one
        monkeypatch.setattr("random.shuffle", lambda nodes: nodes.sort(reverse=True))
        answer = await ask(consumer, TopicsRequest(["none"]), seconds=2)
    assert [broker[0] for broker in answer.brokers] == [1]


async def test_silent_connection_is_replaced(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer
) -> None:
    await ask(consumer, TopicsRequest(["none"]), node=1, seconds=SECONDS)
    connections = connections_of(consumer)._conns  # noqa: SLF001 - looks on
    (own,) = [connection for key, connection in connections.items() if key == (1, "questions")]
    kafka.pause()
    try:
        with pytest.raises(TimeoutError):
            await ask(consumer, TopicsRequest(["none"]), node=1, seconds=0.2)
    finally:
        kafka.resume()
    assert not own.connected()
    await ask(consumer, TopicsRequest(["none"]), node=1, seconds=SECONDS)


async def test_leaders_of_followed_topics_are_known(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], partitions=1)
    assert leader_of(consumer, TopicPartition(name, 0)) is None
    await await_partitions(consumer, name)
    assert leader_of(consumer, TopicPartition(name, 0)) == 1
    assert leader_of(consumer, TopicPartition(name, 7)) is None


async def test_the_password_is_read_before_each_request(kafka: ApacheKafka) -> None:
    client = AIOKafkaClient(
        bootstrap_servers=kafka.bootstrap, sasl_plain_username="edge", sasl_plain_password="old"
    )
    passwords = iter(f"password {number}" for number in range(100))
    before_each_request(client, lambda: next(passwords))
    assert client._sasl_plain_password == "password 0"  # noqa: SLF001 - what it signs in with
    await client.bootstrap()
    await ask(client, TopicsRequest(["none"]), seconds=SECONDS)
    assert client._sasl_plain_password != "password 0"  # noqa: SLF001 - as above
    await client.close()


async def test_metadata_update_goes_through_its_replacement(
    consumer: AIOKafkaConsumer,
) -> None:
    updated: list[bool] = []

    def wrap(client: Any, update: MetadataUpdate) -> MetadataUpdate:  # noqa: ANN401 - aiokafka is untyped
        async def counted(cluster: Any, topics: Any) -> bool:  # noqa: ANN401 - as above
            assert cluster is client.cluster
            updated.append(await update(cluster, topics))
            return updated[-1]

        return counted

    wrap_metadata_update(consumer, wrap)
    await connections_of(consumer).force_metadata_update()
    assert updated == [True]


def test_replaced_and_extended_parts_have_the_expected_shape() -> None:
    def names(function: Any) -> list[str]:  # noqa: ANN401 - anything callable
        return list(inspect.signature(function).parameters)

    methods = {
        "_metadata_update": ["cluster_metadata", "topics"],
        "_get_conn": ["node_id", "group", "no_hint"],
        "send": ["node_id", "request", "group"],
        "_wait_on_metadata": ["topic"],
    }
    for name, parameters in methods.items():
        assert names(getattr(AIOKafkaClient, name)) == ["self", *parameters]
    assert names(PartitionRecords) == [
        "tp",
        "records",
        "aborted_transactions",
        "fetch_offset",
        "key_deserializer",
        "value_deserializer",
        "check_crcs",
        "isolation_level",
    ]
    assert names(_DefaultRecordBatchPy) == ["buffer"]
