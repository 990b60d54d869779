"""The only access to aiokafka's clients beyond their public interface.

Only `router/broker` uses private parts of aiokafka: this module those of its clients, `reread.py`
those of its record reader, and the request modules its protocol types.
`tests/system/router/broker/test_private.py` checks each part against the installed version, so that
an upgrade fails there first.
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
from aiokafka.errors import NodeNotReadyError, ProducerClosed

KafkaClient: TypeAlias = AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient | AIOKafkaClient
"""A started client of aiokafka."""

_END_SECONDS = 0.5
"""How long a producer's sender may take to end after it was cancelled."""

MetadataUpdate: TypeAlias = Callable[[Any, Any], Awaitable[bool]]
"""A client's metadata update: (cluster, topics) -> whether a broker answered."""

_CONNECTION = "questions"
"""Name of the separate connection to each broker for our requests.

A broker answers the requests of one connection in order. On the consumer's connection our requests
would wait for its fetches, and delay them. An answer that cannot be decoded closes its connection.
"""


async def ask(client: KafkaClient, request: Any, *, node: int | None = None, seconds: float) -> Any:  # noqa: ANN401 - a protocol structure of aiokafka
    """Send a request to a broker and return its answer.

    Without `node`, it tries the brokers in random order until one answers. Raises
    KafkaError or TimeoutError; IncompatibleBrokerVersion or NotImplementedError if the
    broker supports no version of the request that we have.
    """
    connections = connections_of(client)
    if node is not None:
        return await _sent(connections, node, request, seconds)
    *others, last = _nodes(connections)
    end = time.monotonic() + seconds
    for place, each in enumerate(others):
        # A broker that does not answer must leave time for the next one.
        share = (end - time.monotonic()) / (len(others) + 1 - place)
        try:
            return await _sent(connections, each, request, share)
        except (NodeNotReadyError, TimeoutError):
            continue
    return await _sent(connections, last, request, end - time.monotonic())


def connections_of(client: KafkaClient) -> Any:  # noqa: ANN401 - aiokafka is untyped
    """Return the low-level client with the connections and the metadata."""
    if isinstance(client, AIOKafkaClient):
        return client
    return client.client if isinstance(client, AIOKafkaProducer) else client._client  # noqa: SLF001


def leader_of(client: KafkaClient, partition: TopicPartition) -> int | None:
    """Return the leader according to the client's last metadata; None if there is none."""
    leader = connections_of(client).cluster.leader_for_partition(partition)
    return None if leader in {None, -1} else int(leader)


def before_each_request(client: KafkaClient, password: Callable[[], str]) -> None:
    """Call `password` before each request, and authenticate new connections with its result.

    aiokafka would use the client's first password for all its connections. A client
    without a password stays without one.
    """
    connections = connections_of(client)
    connect = connections._get_conn  # noqa: SLF001

    def refresh() -> None:
        now = password()
        if connections._sasl_plain_password is not None:  # noqa: SLF001
            connections._sasl_plain_password = now  # noqa: SLF001

    async def refreshed(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
        refresh()
        return await connect(*args, **options)

    refresh()
    connections._get_conn = refreshed  # noqa: SLF001


def wrap_metadata_update(
    client: KafkaClient, wrap: Callable[[Any, MetadataUpdate], MetadataUpdate]
) -> None:
    """Replace a client's metadata update with `wrap(client, the current update)`."""
    connections = connections_of(client)
    connections._metadata_update = wrap(connections, connections._metadata_update)  # noqa: SLF001


async def await_partitions(client: KafkaClient, topic: str) -> None:
    """Wait until the client has a topic's partitions. Raises KafkaError if it has none."""
    await connections_of(client)._wait_on_metadata(topic)  # noqa: SLF001


async def cut_off(producer: AIOKafkaProducer) -> None:
    """Abort a producer whose `stop` hangs: it sends nothing after this.

    `stop` waits for all acknowledgements, forever while the broker is away. If it were
    cancelled, tasks and connections would remain and send the records as soon as the
    broker is back. This function fails pending acknowledgements with ProducerClosed,
    so that `stop` returns and need not be cancelled.
    """
    client, sender = producer.client, producer._sender.sender_task  # noqa: SLF001
    accumulator = producer._message_accumulator  # noqa: SLF001
    # A request in flight would put its records back into the queue when its connection closes.
    accumulator.reenqueue = lambda batch: batch.failure(exception=ProducerClosed())
    _fail_all(accumulator)
    _end_metadata_updates(client)
    for connection in client._conns.values():  # noqa: SLF001
        if connection._writer is not None:  # noqa: SLF001
            # `close` would wait until the broker has received all written bytes.
            connection._writer.transport.abort()  # noqa: SLF001
    # The first cancellation makes the sender wait for its requests; the second cancels them too.
    for _ in range(2):
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait({sender}, timeout=_END_SECONDS)
    await client.close()


def _fail_all(accumulator: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
    """Fail all unacknowledged records, and empty the queue."""
    queued = [batch for queue in accumulator._batches.values() for batch in queue]  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    for batch in queued:
        # Retrieves the exception of a future that is no longer awaited; asyncio would log it.
        batch._drain_waiter.exception()  # noqa: SLF001
    accumulator._batches.clear()  # noqa: SLF001


def _end_metadata_updates(client: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
    """End all waits for metadata, current and future."""
    client.force_metadata_update = _no_update
    if client._sync_task is not None:  # noqa: SLF001
        client._sync_task.cancel()  # noqa: SLF001
    update, client._md_update_fut = client._md_update_fut, None  # noqa: SLF001
    if update is not None and not update.done():
        update.set_result(False)


def _no_update() -> asyncio.Future[bool]:
    """Return a failed future, for metadata requests of an aborted client."""
    closed = asyncio.get_running_loop().create_future()
    closed.set_exception(ProducerClosed())
    # Retrieved here, since not every caller awaits it and asyncio would log it.
    closed.exception()
    return closed


def give_back_sequences(
    producer: AIOKafkaProducer, refused: Callable[[BaseException], bool]
) -> None:
    """Make a producer reuse the sequence numbers of batches that the broker refused.

    aiokafka numbers the records of a batch when it takes the batch out of its queue,
    and counts the numbers as used even if the broker refuses the batch. Every later
    batch of the partition is then out of order for the broker. `refused` returns
    whether an error means that the broker has appended nothing.

    A batch that was sent before keeps its numbers: an earlier attempt may have been
    appended, and the broker would drop another batch with the same numbers as a
    duplicate. A partition has one batch in flight at a time, so no later batch has
    numbers yet when these are given back.
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
    """Return the batch's `failure`, extended to give back its numbers first."""
    failure = batch.failure

    def failed(exception: BaseException) -> None:
        if batch.retry_count == 1 and refused(exception):
            numbers.increment_sequence_number(batch.tp, -batch.record_count)
        failure(exception)

    return failed


def close_taken_batches(producer: AIOKafkaProducer) -> None:
    """Make a producer close a batch of `create_batch` when it takes the batch out of its queue.

    aiokafka closes it when it encodes it, a turn of the event loop after it has counted its
    records. A record appended in between would have no sequence number. With this, the owner of a
    batch may append records after `send_batch`, until `append` returns None.
    """
    accumulator = producer._message_accumulator  # noqa: SLF001
    pop = accumulator._pop_batch  # noqa: SLF001

    def popped(partition: TopicPartition) -> Any:  # noqa: ANN401 - aiokafka is untyped
        batch = pop(partition)
        batch._builder.close()  # noqa: SLF001
        return batch

    accumulator._pop_batch = popped  # noqa: SLF001


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
