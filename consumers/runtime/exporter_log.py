"""Asks the broker, in one round, for all that the exporter has to know of logs and groups.

No group is joined and nothing is committed. A topic is asked for by its name
only where the broker has named it before: asked for one that is not there, it
might make it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code
from faststream.kafka.security import parse_security

from consumers.runtime.exporter_picture import (
    NOTHING,
    Behind,
    Bounds,
    LogView,
    behind,
    next_offset,
)
from consumers.runtime.failures import describe
from consumers.runtime.offsets import FenceRow
from consumers.runtime.records import NO_TIMESTAMP, Partition
from router.broker.reread import Seen, second_look

REQUEST_MILLISECONDS = 3000
"""How long the broker may take for one answer: the client gives up before the round does."""

METADATA_MILLISECONDS = 30_000
"""How long a client may not notice that partitions have moved."""

TRIES = 3
"""A broker is picked by chance, and one of several may be away."""

CLOSE_SECONDS = 2.0
"""How long closing the connections may take before they are left to the end of the process."""

_ONE_BATCH = 1
"""Bytes asked for: the broker gives the first batch whole, and no more."""

Answer = TypeVar("Answer")
Place = tuple[Partition, int]
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


@dataclass(frozen=True)
class _Seen:
    """What was found at an offset: a time, or that there is no record before `reach`."""

    since: float | None
    reach: int


@dataclass
class LogReader:
    """Reads logs and groups with clients of its own, made anew after a round that failed."""

    kafka: Mapping[str, Any] = field(repr=False)
    groups: Mapping[str, Group]
    cluster_id: str | None = None
    renewed: Callable[[Any], None] = field(default=lambda _client: None, repr=False)
    """As in ConsumerSettings."""
    problems: list[str] = field(default_factory=list)
    """What the last round could not read, the rest of it being known."""
    _clients: _Clients | None = None
    _seen: dict[Place, _Seen] = field(default_factory=dict)
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
                self.renewed(client._client)  # noqa: SLF001 - nothing public gives the connections
            await self._clients.admin.start()
            await self._clients.consumer.start()
        return self._clients

    async def _read(self, clients: _Clients, fences_of: Callable[[str], Fences]) -> LogView:
        cluster_id = self.cluster_id
        if cluster_id is None:
            cluster_id = str((await _tried(clients.admin.describe_cluster))["cluster_id"])
        leaders = await self._leaders(clients.admin)
        # First the fences, then the ends: so a log that ends before its fence is another one.
        fences = fences_of(cluster_id)
        bounds = await self._bounds(clients.consumer, leaders)
        members, committed = await asyncio.gather(
            self._of_groups("members", partial(_members, clients.admin)),
            self._of_groups("offsets", partial(_committed, clients.admin, list(bounds))),
        )
        compared = await self._compare(clients.consumer, fences, bounds)
        return LogView(cluster_id, bounds, committed, members, compared)

    async def _leaders(self, admin: AIOKafkaAdminClient) -> Mapping[Partition, int]:
        """Return the leader of every partition there is of what is read; -1 where it has none."""
        wanted = {topic for group in self.groups.values() for topic in group.topics}
        return {
            Partition(topic["topic"], partition["partition"]): partition["leader"]
            for topic in await _tried(admin.describe_topics)
            if topic["topic"] in wanted and not topic["error_code"]
            for partition in topic["partitions"]
        }

    async def _bounds(
        self, consumer: AIOKafkaConsumer, leaders: Mapping[Partition, int]
    ) -> Mapping[Partition, Bounds | None]:
        """Ask each leader for what is its own: one that is away leaves the others' known."""
        own: dict[int, list[Partition]] = {}
        for partition, leader in leaders.items():
            own.setdefault(leader, []).append(partition)
        without = own.pop(-1, [])
        if without:
            self.problems.append(f"{min(without)} has no leader")
        answers = await asyncio.gather(*(self._bounds_of(consumer, ps) for ps in own.values()))
        found: dict[Partition, Bounds | None] = dict.fromkeys(leaders)
        for answer in answers:
            found.update(answer)
        self._forget_what_was_made_anew(found)
        return found

    async def _bounds_of(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[Partition]
    ) -> Mapping[Partition, Bounds]:
        theirs = [TopicPartition(*partition) for partition in partitions]
        try:
            start = await consumer.beginning_offsets(theirs)
            end = await consumer.end_offsets(theirs)
        except (KafkaError, TimeoutError) as error:
            self.problems.append(f"the offsets of {partitions[0]}: {describe(error)}")
            return {}
        return {
            partition: Bounds(start[tp], end[tp])
            for partition, tp in zip(partitions, theirs, strict=True)
        }

    def _forget_what_was_made_anew(self, found: Mapping[Partition, Bounds | None]) -> None:
        ends = {partition: bounds.end for partition, bounds in found.items() if bounds}
        anew = {p for p, end in ends.items() if end < self._ends.get(p, 0)}
        self._seen = {place: seen for place, seen in self._seen.items() if place[0] not in anew}
        self._ends = ends

    async def _compare(
        self,
        consumer: AIOKafkaConsumer,
        fences: Fences,
        bounds: Mapping[Partition, Bounds | None],
    ) -> Mapping[str, Mapping[Partition, Behind]]:
        known, self._seen = self._seen, {}
        compared: dict[str, dict[Partition, Behind]] = {}
        for name, rows in fences.items():
            compared[name] = {}
            for partition, own in bounds.items():
                if rows is None or own is None or partition.topic not in self.groups[name].topics:
                    continue
                fence = rows.get(partition)
                # What the log has lost is no record any more.
                offset = max(own.start, next_offset(own, fence))
                since = await self._since(consumer, (partition, offset), own.end, known)
                compared[name][partition] = behind(own, fence, since)
        return compared

    async def _since(
        self, consumer: AIOKafkaConsumer, place: Place, end: int, known: Mapping[Place, _Seen]
    ) -> float | None:
        """Return the time of the first record from a place on, looked at once while it stands."""
        if place[1] >= end:
            return None
        seen = self._seen.get(place)
        if seen is None:
            seen = known.get(place) or _Seen(None, place[1])
            if seen.since is None and seen.reach < end:
                seen = await self._look(consumer, place[0], seen.reach)
        self._seen[place] = seen
        return NOTHING if seen.since is None and seen.reach >= end else seen.since

    async def _look(self, consumer: AIOKafkaConsumer, partition: Partition, offset: int) -> _Seen:
        tp = TopicPartition(*partition)
        try:
            found = await second_look(consumer, tp, offset, most=1, asked_bytes=_ONE_BATCH)
        except (KafkaError, OSError, TimeoutError) as error:
            self.problems.append(f"the record at {partition} offset {offset}: {describe(error)}")
            return _Seen(None, offset)
        return _Seen(_time_of(found), found.next_offset)

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
                self.problems.append(f"the group's {what} of {name}: {describe(error)}")
                return None

        answers = await asyncio.gather(*(asked(*each) for each in self.groups.items()))
        return dict(zip(self.groups, answers, strict=True))


def _time_of(found: Seen) -> float | None:
    """Return the time of the first record, or of the batch it stands in, where it has one."""
    if found.records:
        timestamp = found.records[0].timestamp
    elif found.problem is not None:
        timestamp = found.began
    else:
        return None
    return None if timestamp in {None, NO_TIMESTAMP} else timestamp / 1000


async def _members(admin: AIOKafkaAdminClient, group: Group) -> int:
    # One group a request: aiokafka cannot read an answer about several.
    (answer,) = await admin.describe_consumer_groups([group.group_id])
    ((code, _, _, _, _, members, *_),) = answer.groups
    if code:
        raise for_code(code)
    return len(members)


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
