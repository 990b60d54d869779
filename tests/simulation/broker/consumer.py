"""Replaces aiokafka's consumer, with those of its habits that `member.client` relies on."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from aiokafka import TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    KafkaConnectionError,
    OffsetOutOfRangeError,
)

from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds
from router.broker.log.reread import RereadRecords
from router.broker.topics.ids import MISSING, TopicSeen
from tests.simulation.broker.logs import Entry, EntryKind, Log, ModelBroker

_FOREVER = 3600.0


@dataclass
class ModelConsumer:
    """A member's client: what it is assigned, and where it reads."""

    broker: ModelBroker
    gate: Callable[[], Awaitable[None]]
    pause_briefly: Callable[[], Awaitable[None]]
    _assigned: set[TopicPartition] = field(default_factory=set)
    _positions: dict[TopicPartition, int] = field(default_factory=dict)
    _paused: set[TopicPartition] = field(default_factory=set)
    _ends: dict[TopicPartition, int] = field(default_factory=dict)
    _polled: dict[TopicPartition, float] = field(default_factory=dict)

    def assign(self, partitions: Collection[Partition]) -> None:
        """Take a new assignment: all positions are forgotten."""
        self._assigned = {TopicPartition(*each) for each in partitions}
        self._positions, self._paused, self._ends = {}, set(), {}

    def assignment(self) -> set[TopicPartition]:
        """Return what is assigned."""
        return set(self._assigned)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Continue at an offset."""
        self._require(tp)
        self._positions[tp] = offset

    def pause(self, *tps: TopicPartition) -> None:
        """Return no more records of these."""
        for tp in tps:
            self._require(tp)
            self._paused.add(tp)

    def resume(self, *tps: TopicPartition) -> None:
        """Return records of these again."""
        for tp in tps:
            self._require(tp)
            self._paused.discard(tp)

    async def position(self, tp: TopicPartition) -> int:
        """Return the next offset; waits for a seek that never comes, as aiokafka does."""
        self._require(tp)
        if tp not in self._positions:
            await asyncio.sleep(_FOREVER)
        return self._positions[tp]

    def highwater(self, tp: TopicPartition) -> int | None:
        """Return where the log ended at the last fetch."""
        assert tp in self._assigned, "Partition is not assigned"
        return self._ends.get(tp)

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        """Return the same, as there are no open transactions."""
        return self.highwater(tp)

    def last_poll_timestamp(self, tp: TopicPartition) -> float | None:
        """Return when the broker last answered a fetch."""
        return self._polled.get(tp)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets, which nothing depends on."""
        assert offsets
        await self.gate()
        self.require_broker()

    async def getmany(
        self, *tps: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Entry]]:
        """Return the next records, after waiting for some."""
        await self.gate()
        await self.pause_briefly()
        wanted = [tp for tp in sorted(tps or self._assigned) if self._is_read(tp)]
        found = self._take(wanted, max_records)
        if found or timeout_ms == 0:
            return found
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000):
                await self.broker.news.wait()
        await self.gate()
        return self._take([tp for tp in wanted if self._is_read(tp)], max_records)

    def _is_read(self, tp: TopicPartition) -> bool:
        return tp in self._assigned and tp not in self._paused and tp in self._positions

    def _take(
        self, wanted: Sequence[TopicPartition], most: int
    ) -> Mapping[TopicPartition, Sequence[Entry]]:
        if self.broker.is_away:
            return {}
        taken: dict[TopicPartition, Sequence[Entry]] = {}
        for tp in wanted:
            log, position = self._log(tp), self._positions[tp]
            if log is None or not log.start <= position <= log.end:
                raise OffsetOutOfRangeError({tp: position})
            records = self._take_from(tp, log, most - sum(map(len, taken.values())))
            if records:
                taken[tp] = records
        return taken

    def _take_from(self, tp: TopicPartition, log: Log, room: int) -> Sequence[Entry]:
        """Take records of one log. The first that is damaged raises, and others are lost then."""
        self._ends[tp] = log.end
        self._polled[tp] = asyncio.get_running_loop().time()
        position, records = self._positions[tp], list[Entry]()
        while position < log.end and len(records) < room:
            entry = log.entries.get(position)
            if entry is not None and entry.kind is EntryKind.DAMAGED:
                if not records:
                    message = f"damaged at {position}"
                    raise CorruptRecordException(message)
                break
            position += 1
            if entry is not None and entry.is_shown:
                records.append(entry)
        self._positions[tp] = position
        return records

    def _log(self, tp: TopicPartition) -> Log | None:
        topic = self.broker.topics.get(tp.topic)
        return None if topic is None else topic.logs.get(tp.partition)

    def _require(self, tp: TopicPartition) -> None:
        if tp not in self._assigned:
            message = f"{tp} is not assigned"
            raise IllegalStateError(message)

    def require_broker(self) -> None:
        """Raise if the broker is away."""
        if self.broker.is_away:
            message = "no broker"
            raise KafkaConnectionError(message)


# -- requests that the runtime sends below the client ---------------------------


async def _describe(
    client: ModelConsumer, topics: Collection[str], _seconds: float
) -> Mapping[str, TopicSeen]:
    await client.gate()
    await client.pause_briefly()
    client.require_broker()
    seen = client.broker.describe()
    return {name: seen.get(name) or TopicSeen(name, None, MISSING, {}, None) for name in topics}


async def _bounds(
    client: ModelConsumer, tps: Sequence[TopicPartition], _seconds: float
) -> Mapping[TopicPartition, LogBounds]:
    await client.gate()
    await client.pause_briefly()
    client.require_broker()
    return {tp: client.broker.log(Partition(*tp)).bounds() for tp in tps}


async def _explain(
    client: ModelConsumer, tp: TopicPartition, gaps: Sequence[range], _seconds: float
) -> Sequence[range]:
    await client.gate()
    await client.pause_briefly()
    client.require_broker()
    log = client.broker.log(Partition(*tp))
    missing = [offset for gap in gaps for offset in gap if not log.explains(offset)]
    return [range(offset, offset + 1) for offset in missing]


async def _reread(
    client: ModelConsumer, tp: TopicPartition, offset: int, _most: int
) -> RereadRecords:
    await client.gate()
    client.require_broker()
    entry = client.broker.log(Partition(*tp)).entries.get(offset)
    if entry is not None and entry.kind is EntryKind.DAMAGED:
        return RereadRecords([], offset, CorruptRecordException(f"damaged at {offset}"))
    return RereadRecords([], offset + 1, None)


@contextlib.contextmanager
def requests_answered() -> Iterator[None]:
    """Let the model answer the requests that the runtime sends below the client."""
    client, upkeep = "consumers.runtime.member.client", "consumers.runtime.member.upkeep"
    answers: dict[str, Any] = {
        f"{client}.describe_topics": _describe,
        f"{client}.log_bounds": _bounds,
        f"{client}.explain": _explain,
        f"{client}.reread_records": _reread,
        f"{upkeep}.describe": _describe,
    }
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch(name, answer))
        yield
