"""Reads all logs and consumer groups from the broker in one round.

It joins no group, commits no offset and creates no topic.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from consumers.runtime.apply.failures import describe as described
from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.measures.first_record import FirstRecords
from consumers.runtime.measures.withheld import Withholding
from consumers.runtime.progress.picture import Behind, LogView, behind, next_offset
from consumers.runtime.records import Partition
from router.broker.adapter.bootstrap import cause_of, is_denial
from router.broker.client import make_admin, make_consumer
from router.broker.connection import KafkaConnection
from router.broker.groups import GroupDescription, describe_group
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.rights import (
    KafkaOperation,
    Resource,
    ResourceKind,
    Right,
    denied,
    on_topic,
)
from router.broker.topics.ids import DENIED, MISSING, describe

METADATA_MILLISECONDS = 30_000
"""Maximum age of the clients' metadata about leaders."""

ATTEMPTS = 3
"""More than one: each attempt uses a random broker, and one of several may be away."""

CLOSE_SECONDS = 2.0
"""How long closing the connections may take; after that it continues in the background."""

_Answer = TypeVar("_Answer")
FencesByConsumer = Mapping[str, Mapping[Partition, FenceRow] | None]


@dataclass(frozen=True)
class SurveyLimits:
    """Time-outs within a round."""

    answer_seconds: float = 3.0
    """For one answer of the broker; shorter than the time-out of a round."""
    first_records_seconds: float = 7.0
    """For reading first records: with a thousand partitions, later rounds do the rest."""


@dataclass(frozen=True)
class ConsumerGroup:
    """Group id and topics of a consumer, by their names on the broker."""

    group_id: str
    topics: Sequence[str]


@dataclass(frozen=True)
class _Clients:
    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer


@dataclass
class LogReader:
    """Reads logs and groups with its own clients, and replaces the clients after a failed round."""

    kafka: KafkaConnection = field(repr=False)
    groups: Mapping[str, ConsumerGroup]
    cluster_id: str | None = None
    limits: SurveyLimits = field(default_factory=SurveyLimits)
    problems: list[str] = field(default_factory=list)
    """Errors of a round that read everything else."""
    _clients: _Clients | None = None
    _first: FirstRecords = field(init=False)
    _withholding: Withholding = field(default_factory=lambda: Withholding(math.inf, ""))
    _ends: dict[Partition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start without any first record."""
        self._first = FirstRecords(self.limits.answer_seconds, user=self.kafka.principal)

    async def read(self, fences_of: Callable[[str], FencesByConsumer]) -> LogView:
        """Read everything; `fences_of` returns the latest fences of a cluster.

        Raises KafkaError, OSError or TimeoutError if the broker does not answer.
        """
        self.problems = []
        try:
            return await self._read(await self._connected(), fences_of)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the clients."""
        clients, self._clients = self._clients, None
        if clients is not None:
            await _closed(clients)

    async def _connected(self) -> _Clients:
        if self._clients is None:
            options = {
                "request_timeout_ms": int(self.limits.answer_seconds * 1000),
                "metadata_max_age_ms": METADATA_MILLISECONDS,
            }
            self._clients = _Clients(
                make_admin(self.kafka, **options),
                make_consumer(self.kafka, **options, isolation_level="read_committed"),
            )
            await self._clients.admin.start()
            await self._clients.consumer.start()
        return self._clients

    async def _read(
        self, clients: _Clients, fences_of: Callable[[str], FencesByConsumer]
    ) -> LogView:
        cluster_id = self.cluster_id
        if cluster_id is None:
            cluster_id = str((await tried(clients.admin.describe_cluster))["cluster_id"])
        partitions, hidden = await self._partitions(clients)
        # Fences first, then the ends: a log that ends before its fence must be a different log.
        fences = fences_of(cluster_id)
        bounds = await self._bounds(clients.consumer, partitions)
        members, committed = await asyncio.gather(
            self._of_groups("members", partial(_members, clients.admin)),
            self._of_groups("offsets", partial(_committed, clients.admin, list(bounds))),
        )
        compared = await self._compare(clients.consumer, fences, bounds)
        self._withholding.see({p: found for p, found in bounds.items() if found is not None})
        withheld = {partition: self._withholding.seconds(partition) for partition in bounds}
        self.problems += self._first.problems
        return LogView(cluster_id, bounds, committed, members, compared, withheld, hidden)

    async def _partitions(self, clients: _Clients) -> tuple[Sequence[Partition], frozenset[str]]:
        """Return all partitions of our topics, and the topics that the broker does not show.

        A list of all topics omits those that we have no right to see.
        """
        wanted = {topic for group in self.groups.values() for topic in group.topics}
        listed = {
            topic["topic"]: topic["partitions"]
            for topic in await tried(clients.admin.describe_topics)
            if topic["topic"] in wanted and not topic["error_code"]
        }
        missing = wanted - listed.keys()
        topics = await describe(clients.consumer, missing, self.limits.answer_seconds)
        hidden = {name: seen.error for name, seen in topics.items() if seen.error != MISSING}
        for name, error in sorted(hidden.items()):
            reading = on_topic(self.kafka.principal, KafkaOperation.READ, name, "reads its log")
            why = denied([reading])[0] if error == DENIED else error or "not listed"
            self.problems.append(f"the topic {name}: {why}")
        found = [
            Partition(name, partition["partition"])
            for name, partitions in listed.items()
            for partition in partitions
        ]
        return found, frozenset(hidden)

    async def _bounds(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[Partition]
    ) -> Mapping[Partition, LogBounds | None]:
        """Ask all leaders; a leader without an answer does not affect the others."""
        topic_partitions = [TopicPartition(*partition) for partition in partitions]
        seconds = self.limits.answer_seconds
        answer = await log_bounds(consumer, topic_partitions, seconds) if partitions else {}
        found = {partition: answer.get(TopicPartition(*partition)) for partition in partitions}
        unanswered = [partition for partition, bounds in found.items() if bounds is None]
        if unanswered:
            self.problems.append(f"the offsets of {min(unanswered)}: no answer from its leader")
        self._forget_recreated(found)
        return found

    def _forget_recreated(self, found: Mapping[Partition, LogBounds | None]) -> None:
        ends = {partition: bounds.end for partition, bounds in found.items() if bounds}
        for partition, end in ends.items():
            if end < self._ends.get(partition, 0):
                self._first.forget(partition)
        self._ends = ends

    async def _compare(
        self,
        consumer: AIOKafkaConsumer,
        fences: FencesByConsumer,
        bounds: Mapping[Partition, LogBounds | None],
    ) -> Mapping[str, Mapping[Partition, Behind]]:
        self._first.begin_round()
        until, left = time.monotonic() + self.limits.first_records_seconds, 0
        compared: dict[str, dict[Partition, Behind]] = {}
        for name, rows in fences.items():
            compared[name] = {}
            for partition, own in bounds.items():
                if rows is None or own is None or partition.topic not in self.groups[name].topics:
                    continue
                fence = rows.get(partition)
                # Records before the start of the log no longer exist.
                offset = max(own.start, next_offset(own, fence))
                if offset < own.end and time.monotonic() > until:
                    left += 1
                    compared[name][partition] = behind(own, fence, None)
                    continue
                since = await self._first.both(consumer, (partition, offset), own)
                compared[name][partition] = behind(own, fence, *since)
        if left:
            self.problems.append(f"the first records of {left} partitions: no time left")
        return compared

    async def _of_groups(
        self, what: str, ask: Callable[[ConsumerGroup], Awaitable[_Answer]]
    ) -> Mapping[str, _Answer | None]:
        async def answer_of(name: str, group: ConsumerGroup) -> _Answer | None:
            try:
                return await tried(partial(ask, group))
            except (IncompatibleBrokerVersion, NotImplementedError):
                # The broker does not support the request, such as the evaluation broker.
                return None
            except (KafkaError, OSError, TimeoutError) as error:
                self.problems.append(f"the group's {what} of {name}: {self._cause(error, group)}")
                return None

        answers = await asyncio.gather(*(answer_of(*each) for each in self.groups.items()))
        return dict(zip(self.groups, answers, strict=True))

    def _cause(self, error: Exception, group: ConsumerGroup) -> str:
        if not is_denial(error):
            return described(error)
        user, resource = self.kafka.principal, Resource(ResourceKind.GROUP, group.group_id)
        return cause_of(error, [Right(user, KafkaOperation.DESCRIBE, resource, "shows members")])


async def _members(admin: AIOKafkaAdminClient, group: ConsumerGroup) -> GroupDescription:
    return await describe_group(admin, group.group_id)


async def _committed(
    admin: AIOKafkaAdminClient, partitions: Sequence[Partition], group: ConsumerGroup
) -> Mapping[Partition, int]:
    # By name: the evaluation broker does not support listing all.
    own = [TopicPartition(*each) for each in partitions if each.topic in group.topics]
    found = await admin.list_consumer_group_offsets(group.group_id, partitions=own) if own else {}
    return {
        Partition(tp.topic, tp.partition): committed.offset
        for tp, committed in found.items()
        if committed.offset >= 0
    }


async def tried(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Send a request; retry after a retriable error, such as from the wrong broker."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(0.1)
    return await ask()


async def _closed(clients: _Clients) -> None:
    """Close both clients, in the background after CLOSE_SECONDS: cancelled, tasks would remain."""
    closing: Iterable[Awaitable[None]] = (clients.admin.close(), clients.consumer.stop())
    await asyncio.wait({asyncio.ensure_future(each) for each in closing}, timeout=CLOSE_SECONDS)
