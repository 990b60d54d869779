"""The one adapter to the parts of aiokafka that are not public.

Only `router/broker` uses them: this module reaches into clients, `reread.py`
extends the record reader, and the requests build on the protocol types.
`tests/router/broker/on_kafka/test_private.py` checks each part against the
installed version, so that an upgrade fails there first.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.errors import NodeNotReadyError

Asker: TypeAlias = AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient | AIOKafkaClient
"""A started client of aiokafka."""

MetadataUpdate: TypeAlias = Callable[[Any, Any], Awaitable[bool]]
"""A client's update of its metadata: (cluster, topics) -> whether a broker answered."""

_CONNECTION = "questions"
"""Our requests use a separate connection to each broker.

A broker answers the requests of one connection in order, so on the consumer's
connection they would wait for its fetches and delay them. An answer that cannot
be decoded closes its connection.
"""


async def ask(asker: Asker, request: Any, *, node: int | None = None, seconds: float) -> Any:  # noqa: ANN401 - a protocol structure of aiokafka
    """Send a request to a broker and return its answer.

    Without `node`, brokers are tried in random order until one answers. Raises
    KafkaError, TimeoutError, and, if the broker does not support the request in
    a version that we do, IncompatibleBrokerVersion or NotImplementedError.
    """
    client = connections_of(asker)
    if node is not None:
        return await _sent(client, node, request, seconds)
    *others, last = _nodes(client)
    end = time.monotonic() + seconds
    for place, each in enumerate(others):
        # A broker that is frozen leaves time for the next one.
        share = (end - time.monotonic()) / (len(others) + 1 - place)
        try:
            return await _sent(client, each, request, share)
        except (NodeNotReadyError, TimeoutError):
            continue
    return await _sent(client, last, request, end - time.monotonic())


def connections_of(asker: Asker) -> Any:  # noqa: ANN401 - aiokafka is untyped
    """Return the client that holds an asker's connections and its metadata."""
    if isinstance(asker, AIOKafkaClient):
        return asker
    return asker.client if isinstance(asker, AIOKafkaProducer) else asker._client  # noqa: SLF001


def leader_of(asker: Asker, partition: TopicPartition) -> int | None:
    """Return the leader from the client's last metadata; None if there is none."""
    leader = connections_of(asker).cluster.leader_for_partition(partition)
    return None if leader in {None, -1} else int(leader)


def before_each_request(asker: Asker, password: Callable[[], str]) -> None:
    """Call `password` before each request, and have a new connection sign in with its answer.

    aiokafka uses the password that a client was made with for all its
    connections. A client without a password is left without one.
    """
    client = connections_of(asker)
    connect = client._get_conn  # noqa: SLF001

    def refresh() -> None:
        now = password()
        if client._sasl_plain_password is not None:  # noqa: SLF001
            client._sasl_plain_password = now  # noqa: SLF001

    async def refreshed(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
        refresh()
        return await connect(*args, **options)

    refresh()
    client._get_conn = refreshed  # noqa: SLF001


def wrap_metadata_update(
    asker: Asker, wrap: Callable[[Any, MetadataUpdate], MetadataUpdate]
) -> None:
    """Replace a client's update of its metadata by `wrap(client, the current one)`."""
    client = connections_of(asker)
    client._metadata_update = wrap(client, client._metadata_update)  # noqa: SLF001


async def await_partitions(asker: Asker, topic: str) -> None:
    """Wait until the client knows a topic's partitions. Raises KafkaError if it has none."""
    await connections_of(asker)._wait_on_metadata(topic)  # noqa: SLF001


async def _sent(client: Any, node: int | str, request: Any, seconds: float) -> Any:  # noqa: ANN401 - aiokafka is untyped
    since = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            return await client.send(node, request, group=_CONNECTION)
    except TimeoutError:
        connection = client._conns.get((node, _CONNECTION))  # noqa: SLF001
        # A firewall may have dropped the connection. aiokafka closes one only when its own, longer
        # time-out passes, and never closes one with a pending request as idle.
        if connection is not None and connection._last_action < since:  # noqa: SLF001
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
        raise


def _nodes(client: Any) -> list[int | str]:  # noqa: ANN401 - aiokafka is untyped
    """Return all known brokers in random order, or the bootstrap connection if there are none."""
    nodes: list[int | str] = [broker.nodeId for broker in client.cluster.brokers()]
    random.shuffle(nodes)
    return nodes or ["bootstrap"]


def give_back_sequences(
    producer: AIOKafkaProducer, refused: Callable[[BaseException], bool]
) -> None:
    """Make a batch that the broker refused use up no sequence numbers.

    aiokafka numbers the records of a batch when it takes the batch out of its
    queue, and keeps the numbers even if the broker refuses the batch. Every later
    batch of the partition is then out of order for the broker. `refused` returns
    whether an error means that the broker has appended nothing.

    A batch that was tried before keeps its numbers: an earlier try may have been
    appended, and the broker would take another batch with the same numbers for a
    repetition of it, and drop it. A partition has one batch under way at a time,
    so no later batch is numbered when these numbers are given back.
    """
    accumulator, numbers = producer._message_accumulator, producer._txn_manager  # noqa: SLF001
    pop = accumulator._pop_batch  # noqa: SLF001

    def popped(partition: TopicPartition) -> Any:  # noqa: ANN401 - aiokafka is untyped
        batch = pop(partition)
        if batch.retry_count == 1:
            batch.failure = _giving_back(batch, numbers, refused)
        return batch

    accumulator._pop_batch = popped  # noqa: SLF001


def _giving_back(
    batch: Any,  # noqa: ANN401 - aiokafka is untyped
    numbers: Any,  # noqa: ANN401 - aiokafka is untyped
    refused: Callable[[BaseException], bool],
) -> Callable[[BaseException], None]:
    """Return what a batch fails with: the same as before, with its numbers given back."""
    failure = batch.failure

    def failed(exception: BaseException) -> None:
        if batch.retry_count == 1 and refused(exception):
            numbers.increment_sequence_number(batch.tp, -batch.record_count)
        failure(exception)

    return failed
