"""Finds the write time of the first record at an offset, and reads it only once per offset.

Offsets alone do not show whether a record waits: the last offset of a log may be the marker of a
transaction, which is not readable and which no fence passes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.runtime.apply.failures import describe
from consumers.runtime.records import NO_TIMESTAMP, Partition
from router.broker.adapter.bootstrap import cause_of, is_denial
from router.broker.adapter.private import KafkaClient
from router.broker.adapter.requests import READ_UNCOMMITTED
from router.broker.log.bounds import LogBounds
from router.broker.log.raw_fetch import ONE_BATCH, fetch_raw
from router.broker.log.reread import RereadRecords, reread_records
from router.broker.rights import UNKNOWN_USER, KafkaOperation, on_topic

NOTHING = math.inf
"""Time of the first record if there is none, for example if there are only markers."""

_BEGAN = slice(27, 35)
"""Position in a batch of the time of its first record, in milliseconds."""

LogPosition = tuple[Partition, int]
"""A partition and an offset."""


@dataclass(frozen=True)
class _Seen:
    """Time of the first record from an offset on; None if there is no record before `reach`."""

    since: float | None
    reach: int


@dataclass
class FirstRecords:
    """Returns the time of the first record from a position on; reads each position only once.

    Call `begin_round` before each round. It drops the positions that the last round did not use.
    """

    answer_seconds: float
    user: str = UNKNOWN_USER
    problems: list[str] = field(default_factory=list)
    """Errors of this round."""
    _seen: dict[LogPosition, _Seen] = field(default_factory=dict)
    _known: Mapping[LogPosition, _Seen] = field(default_factory=dict)
    _withheld: dict[LogPosition, float | None] = field(default_factory=dict)
    _withheld_known: Mapping[LogPosition, float | None] = field(default_factory=dict)

    def begin_round(self) -> None:
        """Begin a round."""
        self.problems = []
        self._known, self._seen = self._seen, {}
        self._withheld_known, self._withheld = self._withheld, {}

    def forget(self, partition: Partition) -> None:
        """Drop all times of a partition, because its log was recreated."""
        self._known = {place: seen for place, seen in self._known.items() if place[0] != partition}
        self._seen = {place: seen for place, seen in self._seen.items() if place[0] != partition}
        self._withheld = {p: seen for p, seen in self._withheld.items() if p[0] != partition}
        self._withheld_known = {
            p: seen for p, seen in self._withheld_known.items() if p[0] != partition
        }

    async def both(
        self,
        client: KafkaClient,
        place: LogPosition,
        bounds: LogBounds,
    ) -> tuple[float | None, float | None]:
        """Return the times of the first record from a position on, and of the first readable one.

        In Unix seconds; NOTHING if there is no such record, None if the time is unknown.
        """
        readable = await self.readable(client, place, bounds.stable)
        if readable != NOTHING or bounds.stable >= bounds.end:
            return readable, readable
        partition, offset = place
        return await self.withheld(client, (partition, max(offset, bounds.stable))), readable

    async def readable(self, client: KafkaClient, place: LogPosition, stable: int) -> float | None:
        """Return the time of the first record before the last stable offset, in Unix seconds.

        NOTHING if there is no such record, None if the time is unknown.
        """
        if place[1] >= stable:
            return NOTHING
        seen = self._seen.get(place) or self._known.get(place) or _Seen(None, place[1])
        if seen.since is None and seen.reach < stable:
            seen = await self._read_first(client, place[0], seen.reach)
        self._seen[place] = seen
        return NOTHING if seen.since is None and seen.reach >= stable else seen.since

    async def withheld(self, client: KafkaClient, place: LogPosition) -> float | None:
        """Return the time of the record at the last stable offset, which is not readable yet."""
        if place not in self._withheld:
            known = self._withheld_known.get(place)
            self._withheld[place] = (
                await self._read_withheld(client, place) if known is None else known
            )
        return self._withheld[place]

    async def _read_first(self, client: KafkaClient, partition: Partition, offset: int) -> _Seen:
        tp = TopicPartition(*partition)
        try:
            found = await reread_records(client, tp, offset, most=1, asked_bytes=ONE_BATCH)
        except (KafkaError, OSError, TimeoutError) as error:
            self._failed(partition, offset, error)
            return _Seen(None, offset)
        return _Seen(_time_of(found), found.next_offset)

    async def _read_withheld(self, client: KafkaClient, place: LogPosition) -> float | None:
        try:
            raw = await fetch_raw(
                client,
                TopicPartition(*place[0]),
                place[1],
                asked_bytes=ONE_BATCH,
                seconds=self.answer_seconds,
                isolation=READ_UNCOMMITTED,
            )
        except (KafkaError, OSError, TimeoutError) as error:
            self._failed(*place, error)
            return None
        began = int.from_bytes(raw.data[_BEGAN], "big", signed=True)
        return None if len(raw.data) < _BEGAN.stop or began == NO_TIMESTAMP else began / 1000

    def _failed(self, partition: Partition, offset: int, error: Exception) -> None:
        reading = on_topic(self.user, KafkaOperation.READ, partition.topic, "reads its age")
        why = cause_of(error, [reading]) if is_denial(error) else describe(error)
        self.problems.append(f"the record at {partition} offset {offset}: {why}")


def _time_of(found: RereadRecords) -> float | None:
    """Return the time of the first record, or else of its batch; None if there is neither."""
    if found.records:
        timestamp: int = found.records[0].timestamp
    elif found.problem is not None and found.began is not None:
        timestamp = found.began
    else:
        return None
    return None if timestamp == NO_TIMESTAMP else timestamp / 1000
