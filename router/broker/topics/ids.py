"""Describes topics: their ids, their partitions, and what we may do with them.

A topic that is deleted and recreated keeps its name and gets a new id.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, TopicAuthorizationFailedError, for_code

from router.broker.adapter.private import KafkaClient, ask
from router.broker.adapter.requests import NO_ID, PlainTopicsRequest, TopicsRequest
from router.broker.rights import NOTHING_GRANTED

MISSING = "UNKNOWN_TOPIC_OR_PARTITION"
"""Error for a topic that does not exist, or of which the broker has not learned yet."""

DENIED = "TOPIC_AUTHORIZATION_FAILED"
"""Error for a topic that we have no right to see."""

NO_OPERATIONS = -(2**31)
"""Authorized operations in the answer of a broker that does not report them."""


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
    granted: int | None
    """Our authorized operations, a bit each; None if the broker does not report them."""


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


async def require_shown(client: KafkaClient, topic: str, seconds: float) -> None:
    """Raise TopicAuthorizationFailedError if the broker hides a topic that a client misses.

    A list of all topics omits those that we have no right to see.
    """
    seen = (await describe(client, [topic], seconds)).get(topic)
    if seen is not None and seen.error == DENIED:
        raise TopicAuthorizationFailedError(topic)


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
        _granted(_error(code), operations),
    )


def _granted(error: str | None, operations: int) -> int | None:
    if error == DENIED:
        return NOTHING_GRANTED
    # With an error, a broker may return any operations.
    return None if error or operations == NO_OPERATIONS else operations


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
