"""The one adapter to the parts of aiokafka that are not public.

Only `router/broker` uses them: this module reaches into clients, `reread.py`
extends the record reader, and the requests build on the protocol types.
`tests/system/router/broker/test_private.py` checks each part against the
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
from aiokafka.errors import NodeNotReadyError, ProducerClosed

Asker: TypeAlias = AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient | AIOKafkaClient
"""A started client of aiokafka."""

_END_SECONDS = 0.5
"""How long the sender of a producer that is cut off may take to end."""

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


async def cut_off(producer: AIOKafkaProducer) -> None:
    """End a producer whose `stop` does not end: it sends nothing after this.

    `stop` waits for every acknowledgement, without an end while the broker is
    away. Cancelled, it leaves tasks and connections behind, which send the records
    as soon as the broker is back. What waits for an acknowledgement fails with
    ProducerClosed, and so `stop` ends: it need not be cancelled.
    """
    client, sender = producer.client, producer._sender.sender_task  # noqa: SLF001
    accumulator = producer._message_accumulator  # noqa: SLF001
    # A request under way would put its records back into the queue when its connection ends.
    accumulator.reenqueue = lambda batch: batch.failure(exception=ProducerClosed())
    _fail_all(accumulator)
    _end_metadata_updates(client)
    for connection in client._conns.values():  # noqa: SLF001
        if connection._writer is not None:  # noqa: SLF001
            # Closed, it would first wait until the broker has taken what was written.
            connection._writer.transport.abort()  # noqa: SLF001
    # The sender awaits its requests when it is cancelled; again, and it cancels one that connects.
    for _ in range(2):
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait({sender}, timeout=_END_SECONDS)
    await client.close()


def _fail_all(accumulator: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
    """Fail every record that is not acknowledged, and empty the queue."""
    queued = [batch for queue in accumulator._batches.values() for batch in queue]  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    for batch in queued:
        # Also fails, though nobody waits any more for the sender to take the batch.
        batch._drain_waiter.exception()  # noqa: SLF001
    accumulator._batches.clear()  # noqa: SLF001


def _end_metadata_updates(client: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
    """Have nobody wait for metadata any more."""
    client.force_metadata_update = _no_update
    if client._sync_task is not None:  # noqa: SLF001
        client._sync_task.cancel()  # noqa: SLF001
    update, client._md_update_fut = client._md_update_fut, None  # noqa: SLF001
    if update is not None and not update.done():
        update.set_result(False)


def _no_update() -> asyncio.Future[bool]:
    """Answer a request for metadata of a client that was cut off."""
    closed = asyncio.get_running_loop().create_future()
    closed.set_exception(ProducerClosed())
    # Not everybody who asks waits for the answer.
    closed.exception()
    return closed


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
