"""Describes topics: their ids, their partitions, and whether we may write to them.

A topic that is deleted and recreated keeps its name and gets a new id.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, for_code

from router.broker.adapter.private import KafkaClient, ask
from router.broker.adapter.requests import NO_ID, PlainTopicsRequest, TopicsRequest

MISSING = "UNKNOWN_TOPIC_OR_PARTITION"
"""Error for a topic that does not exist, or of which the broker has not learned yet."""

DENIED = "TOPIC_AUTHORIZATION_FAILED"
"""Error for a topic that we have no right to see."""

_NO_OPERATIONS = -(2**31)
_WRITE = 1 << 4
"""Bit of the operation WRITE in a broker's set of authorized operations."""


@dataclass(frozen=True)
class PartitionSeen:
    """One partition: its leader (None if it has none) and its replicas, by node id."""

    leader: int | None
    epoch: int | None
    """Leader epoch; None if the broker does not report it."""
    replicas: frozenset[int]
    in_sync: frozenset[int]


@dataclass(frozen=True)
class TopicSeen:
    """One topic, as described by one broker."""

    name: str
    topic_id: UUID | None
    """None if the broker is older than Kafka 2.8 or the topic does not exist."""
    error: str | None
    """Kafka's name of the error, such as `MISSING` or `DENIED`."""
    partitions: Mapping[int, PartitionSeen]
    may_write: bool | None
    """Whether we have the right to write; None if the broker does not report it."""


async def describe(
    client: KafkaClient, topics: Collection[str], seconds: float, node: int | None = None
) -> Mapping[str, TopicSeen]:
    """Describe topics by name; creates none. Raises KafkaError or TimeoutError.

    The answer is the view of one broker, which may learn seconds late that a
    topic was created or deleted. Ask again before acting on a change.
    """
    if not topics:
        return {}
    names = sorted(set(topics))
    try:
        answer = await ask(client, TopicsRequest(names), node=node, seconds=seconds)
    except (IncompatibleBrokerVersion, NotImplementedError):
        answer = await ask(client, PlainTopicsRequest(names), node=node, seconds=seconds)
        return {topic[1]: _plain(*topic) for topic in answer.topics}
    return {topic[1]: _seen(*topic) for topic in answer.topics}


async def cluster_id(client: KafkaClient, seconds: float) -> str | None:
    """Return the id of the broker's cluster, None if it reports none.

    Raises KafkaError or TimeoutError.
    """
    try:
        answer = await ask(client, TopicsRequest([]), seconds=seconds)
    except (IncompatibleBrokerVersion, NotImplementedError):
        answer = await ask(client, PlainTopicsRequest([]), seconds=seconds)
    return str(answer.cluster_id) if answer.cluster_id else None


def _seen(
    code: int,
    name: str,
    topic_id: UUID,
    _internal: object,
    partitions: Collection[Any],
    operations: int,
    _tags: object,
) -> TopicSeen:
    return TopicSeen(
        name,
        None if topic_id == NO_ID else topic_id,
        _error(code),
        {number: _partition(*rest) for _, number, *rest in partitions},
        # With an error, a broker may return any operations.
        None if code or operations == _NO_OPERATIONS else bool(operations & _WRITE),
    )


def _plain(code: int, name: str, _internal: object, partitions: Collection[Any]) -> TopicSeen:
    found = {
        number: _partition(leader, None, replicas, in_sync)
        for _, number, leader, replicas, in_sync, *_ in partitions
    }
    return TopicSeen(name, None, _error(code), found, None)


def _partition(
    leader: int, epoch: int | None, replicas: Collection[int], in_sync: Collection[int], *_: object
) -> PartitionSeen:
    return PartitionSeen(
        None if leader < 0 else leader,
        None if epoch is None or epoch < 0 else epoch,
        frozenset(replicas),
        frozenset(in_sync),
    )


def _error(code: int) -> str | None:
    return str(for_code(code).message) if code else None
