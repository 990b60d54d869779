"""The one adapter to the parts of aiokafka that are not public.

Nothing else in the project touches them, apart from `reread.py` and `requests.py`
beside it, which stand on aiokafka's record reader and protocol types.
`tests/router/broker/test_private.py` checks each part against the installed
version, so that an upgrade fails there first.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NodeNotReadyError

Asker: TypeAlias = AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient | AIOKafkaClient
"""Anything of aiokafka that has connections; it must be started."""

_CONNECTION = "questions"
"""Requests of ours use a connection of their own per broker.

A broker answers the requests of one connection in order. On the consumer's own
connection each request would wait for a fetch, and the fetches for it; and an
answer that cannot be decoded would close it.
"""


async def ask(asker: Asker, request: Any, *, node: int | None = None, seconds: float) -> Any:  # noqa: ANN401 - a protocol structure of aiokafka
    """Send a request to a broker and return its answer; to any broker that is there without `node`.

    Raises KafkaError, TimeoutError, and, if the broker does not support the
    request in a version that we do, IncompatibleBrokerVersion or
    NotImplementedError.
    """
    client = connections_of(asker)
    async with asyncio.timeout(seconds):
        if node is not None:
            return await client.send(node, request, group=_CONNECTION)
        for each in _nodes(client):
            try:
                return await client.send(each, request, group=_CONNECTION)
            except NodeNotReadyError:
                continue
    message = "no broker is there"
    raise NodeNotReadyError(message)


def connections_of(asker: Asker) -> Any:  # noqa: ANN401 - aiokafka is untyped
    """Return the client that holds an asker's connections and its metadata."""
    if isinstance(asker, AIOKafkaClient):
        return asker
    return asker.client if isinstance(asker, AIOKafkaProducer) else asker._client  # noqa: SLF001


def leader_of(asker: Asker, partition: TopicPartition) -> int | None:
    """Return the leader as of the client's last metadata; None where it has none or is unknown."""
    leader = connections_of(asker).cluster.leader_for_partition(partition)
    return None if leader in {None, -1} else int(leader)


def before_each_request(asker: Asker, password: Callable[[], str]) -> None:
    """Call `password` before each request, and have a new connection sign in with its answer.

    aiokafka stores the password that a client was made with and uses it for
    every connection of its life. A client that has none gets none.
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


async def await_partitions(asker: Asker, topic: str) -> None:
    """Wait until the client knows a topic's partitions. Raises KafkaError if there are none."""
    await connections_of(asker)._wait_on_metadata(topic)  # noqa: SLF001


def _nodes(client: Any) -> list[int | str]:  # noqa: ANN401 - aiokafka is untyped
    """Return every broker known, in random order; the bootstrap connection if none is."""
    nodes: list[int | str] = [broker.nodeId for broker in client.cluster.brokers()]
    random.shuffle(nodes)
    return nodes or ["bootstrap"]
