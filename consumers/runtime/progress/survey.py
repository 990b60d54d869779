"""Asks the broker, in one round, for all that the exporter has to know of logs and groups.

No group is joined, nothing is committed, and no topic is made.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from faststream.kafka.security import parse_security

from consumers.runtime.apply.failures import describe as described
from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.measures.first_record import FirstRecords
from consumers.runtime.measures.withheld import Withholding
from consumers.runtime.progress.picture import Behind, LogView, behind, next_offset
from consumers.runtime.records import Partition
from router.broker.adapter.private import connections_of
from router.broker.groups import GroupDescription, describe_group
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.topics.ids import DENIED, MISSING, describe

REQUEST_MILLISECONDS = 3000
"""How long the broker may take for one answer: the client gives up before the round does."""

METADATA_MILLISECONDS = 30_000
"""How long a client may not notice that partitions have moved."""

TRIES = 3
"""A broker is picked by chance, and one of several may be away."""

LOOK_SECONDS = 7.0
"""How long a round may look at first records: of a thousand partitions, the next one has more."""

CLOSE_SECONDS = 2.0
"""How long closing the connections may take before they are left to the end of the process."""

Answer = TypeVar("Answer")
Fences = Mapping[str, Mapping[Partition, FenceRow] | None]


@dataclass(frozen=True)
class Group:
    """A consumer as the broker knows it."""

    group_id: str
    topics: Sequence[str]


@dataclass(frozen=True)
class _Clients:
    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer


@dataclass
class LogReader:
    """Reads logs and groups with clients of its own, replaced after a round that failed."""

    kafka: Mapping[str, Any] = field(repr=False)
    groups: Mapping[str, Group]
    cluster_id: str | None = None
    renewed: Callable[[Any], None] = field(default=lambda _client: None, repr=False)
    """As in ConsumerSettings."""
    problems: list[str] = field(default_factory=list)
    """What the last round could not read, the rest of it being known."""
    _clients: _Clients | None = None
    _first: FirstRecords = field(default_factory=lambda: FirstRecords(REQUEST_MILLISECONDS / 1000))
    _withholding: Withholding = field(default_factory=lambda: Withholding(math.inf, ""))
    _ends: dict[Partition, int] = field(default_factory=dict)

    async def read(self, fences_of: Callable[[str], Fences]) -> LogView:
        """Ask for everything; `fences_of` gives the fences of a cluster, as known just before.

        Raises KafkaError, OSError or TimeoutError where nothing is answered.
        """
        self.problems = []
        try:
            return await self._read(await self._connected(), fences_of)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Give up the connections."""
        clients, self._clients = self._clients, None
        if clients is not None:
            await _closed(clients)

    async def _connected(self) -> _Clients:
        if self._clients is None:
            options = {
                "request_timeout_ms": REQUEST_MILLISECONDS,
                "metadata_max_age_ms": METADATA_MILLISECONDS,
                **self.kafka,
            }
            options |= parse_security(options.pop("security", None))
            self._clients = _Clients(
                AIOKafkaAdminClient(**options),
                AIOKafkaConsumer(
                    **options, enable_auto_commit=False, isolation_level="read_committed"
                ),
            )
            for client in (self._clients.admin, self._clients.consumer):
                self.renewed(connections_of(client))
            await self._clients.admin.start()
            await self._clients.consumer.start()
        return self._clients

    async def _read(self, clients: _Clients, fences_of: Callable[[str], Fences]) -> LogView:
        cluster_id = self.cluster_id
        if cluster_id is None:
            cluster_id = str((await _tried(clients.admin.describe_cluster))["cluster_id"])
        partitions, hidden = await self._partitions(clients)
        # First the fences, then the ends: so a log that ends before its fence is another one.
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
        """Return every partition of what is read, and the topics that the broker does not show.

        A list of all topics leaves out those that we may not see, as if they were not there.
        """
        wanted = {topic for group in self.groups.values() for topic in group.topics}
        listed = {
            topic["topic"]: topic["partitions"]
            for topic in await _tried(clients.admin.describe_topics)
            if topic["topic"] in wanted and not topic["error_code"]
        }
        seconds = REQUEST_MILLISECONDS / 1000
        asked = await describe(clients.consumer, wanted - listed.keys(), seconds)
        hidden = {name: seen.error for name, seen in asked.items() if seen.error != MISSING}
        for name, error in sorted(hidden.items()):
            needs = ", give us the right DESCRIBE" if error == DENIED else ""
            self.problems.append(f"the topic {name}: {error or 'not listed'}{needs}")
        found = [
            Partition(name, partition["partition"])
            for name, partitions in listed.items()
            for partition in partitions
        ]
        return found, frozenset(hidden)

    async def _bounds(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[Partition]
    ) -> Mapping[Partition, LogBounds | None]:
        """Ask every leader; one that is away leaves the others' known."""
        theirs = [TopicPartition(*partition) for partition in partitions]
        seconds = REQUEST_MILLISECONDS / 1000
        answer = await log_bounds(consumer, theirs, seconds) if theirs else {}
        found = {partition: answer.get(TopicPartition(*partition)) for partition in partitions}
        silent = [partition for partition, bounds in found.items() if bounds is None]
        if silent:
            self.problems.append(f"the offsets of {min(silent)}: no answer of its leader")
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
        fences: Fences,
        bounds: Mapping[Partition, LogBounds | None],
    ) -> Mapping[str, Mapping[Partition, Behind]]:
        self._first.turn()
        until, left = time.monotonic() + LOOK_SECONDS, 0
        compared: dict[str, dict[Partition, Behind]] = {}
        for name, rows in fences.items():
            compared[name] = {}
            for partition, own in bounds.items():
                if rows is None or own is None or partition.topic not in self.groups[name].topics:
                    continue
                fence = rows.get(partition)
                # What the log has lost is no record any more.
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
        self, what: str, ask: Callable[[Group], Awaitable[Answer]]
    ) -> Mapping[str, Answer | None]:
        async def asked(name: str, group: Group) -> Answer | None:
            try:
                return await _tried(partial(ask, group))
            except (IncompatibleBrokerVersion, NotImplementedError):
                # A broker that does not know the question, as the one for evaluation does not.
                return None
            except (KafkaError, OSError, TimeoutError) as error:
                self.problems.append(f"the group's {what} of {name}: {described(error)}")
                return None

        answers = await asyncio.gather(*(asked(*each) for each in self.groups.items()))
        return dict(zip(self.groups, answers, strict=True))


async def _members(admin: AIOKafkaAdminClient, group: Group) -> GroupDescription:
    return await describe_group(admin, group.group_id)


async def _committed(
    admin: AIOKafkaAdminClient, partitions: Sequence[Partition], group: Group
) -> Mapping[Partition, int]:
    # By name: the broker for evaluation does not answer for all there are.
    own = [TopicPartition(*each) for each in partitions if each.topic in group.topics]
    found = await admin.list_consumer_group_offsets(group.group_id, partitions=own) if own else {}
    return {
        Partition(tp.topic, tp.partition): told.offset
        for tp, told in found.items()
        if told.offset >= 0
    }


async def _tried(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask, and once more where it was the wrong one to ask."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(0.1)
    return await ask()


async def _closed(clients: _Clients) -> None:
    """Close both; what takes longer goes on in the background, cut off it would keep its tasks."""
    closing: Iterable[Awaitable[None]] = (clients.admin.close(), clients.consumer.stop())
    await asyncio.wait({asyncio.ensure_future(each) for each in closing}, timeout=CLOSE_SECONDS)
