"""What a broker says of topics: their identity, their partitions, and whether we may write.

A topic that is deleted and made anew keeps its name and gets another id.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, for_code

from router.broker.private import Asker, ask
from router.broker.requests import NO_ID, PlainTopicsRequest, TopicsRequest

MISSING = "UNKNOWN_TOPIC_OR_PARTITION"
"""The error of a topic that does not exist, or not yet for the broker that answers."""

_NO_OPERATIONS = -(2**31)
_WRITE = 1 << 4
"""The bit of the operation WRITE among those that a broker says are allowed."""


@dataclass(frozen=True)
class PartitionSeen:
    """One partition: the node that leads it (None: nobody), and the nodes that hold it."""

    leader: int | None
    epoch: int | None
    """The leader's epoch; None if the broker does not say."""
    replicas: frozenset[int]
    in_sync: frozenset[int]


@dataclass(frozen=True)
class TopicSeen:
    """One topic as a broker sees it."""

    name: str
    topic_id: UUID | None
    """None if the broker is older than Kafka 2.8, or there is no such topic."""
    error: str | None
    """Kafka's name of the error, such as `MISSING` or TOPIC_AUTHORIZATION_FAILED."""
    partitions: Mapping[int, PartitionSeen]
    may_write: bool | None
    """Whether the asker has the right to write; None if the broker cannot say."""


async def describe(
    asker: Asker, topics: Collection[str], seconds: float, node: int | None = None
) -> Mapping[str, TopicSeen]:
    """Ask one broker for topics, by name; creates none. Raises KafkaError or TimeoutError.

    It is that broker's view: another one may learn seconds later that a topic
    was made, deleted or made anew. So confirm what would be acted upon by
    asking again before acting.
    """
    if not topics:
        return {}
    names = sorted(set(topics))
    try:
        answer = await ask(asker, TopicsRequest(names), node=node, seconds=seconds)
    except (IncompatibleBrokerVersion, NotImplementedError):
        answer = await ask(asker, PlainTopicsRequest(names), node=node, seconds=seconds)
        return {topic[1]: _plain(*topic) for topic in answer.topics}
    return {topic[1]: _seen(*topic) for topic in answer.topics}


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
        # Of a topic that it does not show, a broker says anything.
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
