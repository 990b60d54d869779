"""The latest readings of broker and stores, and the lag calculated from them."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.records import Partition
from router.broker.groups import GroupDescription
from router.broker.log.bounds import LogBounds


@dataclass(frozen=True)
class Behind:
    """Lag of a consumer on one partition; None means unknown.

    `since` is the time of the next record to apply, in Unix seconds. `readable` counts
    the part of `records` before the last stable offset, and `readable_since` is the time
    of the first of them, NOTHING if all are markers of transactions.
    """

    records: int | None = None
    in_flight: int | None = None
    since: float | None = None
    readable: int | None = None
    readable_since: float | None = None

    def seconds(self, now: float) -> float:
        """Return the age of the next record, in seconds; 0 if there is none."""
        return _age(self.records, self.since, now)

    def readable_seconds(self, now: float) -> float:
        """Return the age of the next record if it can be read, in seconds; otherwise 0."""
        return _age(self.readable, self.readable_since, now)


def _age(records: int | None, since: float | None, now: float) -> float:
    if records == 0:
        return 0.0
    return math.nan if since is None else max(0.0, now - since)


@dataclass(frozen=True)
class LogView:
    """Answers of the broker in one round; None for a partition or consumer without an answer.

    `behind` is the lag of the fences that were read just before.
    """

    cluster_id: str
    bounds: Mapping[Partition, LogBounds | None]
    committed: Mapping[str, Mapping[Partition, int] | None]
    members: Mapping[str, GroupDescription | None]
    behind: Mapping[str, Mapping[Partition, Behind]] = field(default_factory=dict)
    withheld: Mapping[Partition, float] = field(default_factory=dict)
    """How long the end of each log has been withheld, in seconds; 0 if it is not."""
    hidden: frozenset[str] = frozenset()
    """Topics that the broker did not show, although they may exist."""


@dataclass
class Picture:
    """The latest reading of every source; `topics` has those of each consumer."""

    topics: Mapping[str, Sequence[str]]
    log: LogView | None = None
    fences: dict[str, Sequence[FenceRow] | None] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)
    _all_reported: asyncio.Event = field(default_factory=asyncio.Event)
    _cluster_id: str | None = None
    _partitions: frozenset[Partition] = frozenset()
    _fenced: dict[str, frozenset[Partition]] = field(default_factory=dict)

    def set_log(self, view: LogView | None) -> None:
        """Store the answers of the broker; None if it did not answer."""
        self.log = view
        if view is not None:
            self._cluster_id = view.cluster_id
            self._partitions = frozenset(view.bounds)

    def set_fences(self, consumer: str, rows: Sequence[FenceRow] | None) -> None:
        """Store a consumer's fences, of all clusters; None if they could not be read."""
        self.fences[consumer] = rows
        if rows is not None:
            self._fenced[consumer] = frozenset(_partition(row) for row in rows)
        self._reported.add(consumer)
        if self._reported >= self.topics.keys():
            self._all_reported.set()

    async def every_store(self) -> None:
        """Wait until every store has reported, even a failure, since the last call returned."""
        await self._all_reported.wait()
        self._reported.clear()
        self._all_reported.clear()

    @property
    def partitions(self) -> Sequence[Partition]:
        """The partitions as of the last answer of the broker."""
        return sorted(self._partitions)

    def partitions_of(self, consumer: str) -> Sequence[Partition]:
        """Return the partitions of a consumer, according to the broker or its fences."""
        known = self._partitions | self._fenced.get(consumer, frozenset())
        return sorted(p for p in known if p.topic in self.topics[consumer])

    def fences_of(
        self, consumer: str, cluster_id: str | None = None
    ) -> Mapping[Partition, FenceRow] | None:
        """Return the fences of this cluster only; None if they are unknown."""
        rows, cluster_id = self.fences.get(consumer), cluster_id or self._cluster_id
        if rows is None or cluster_id is None:
            return None
        return {_partition(row): row for row in rows if row.cluster_id == cluster_id}

    def behind(self, consumer: str, partition: Partition) -> Behind:
        """Return the lag of a consumer; unknown while its store or the broker is away."""
        if self.log is None or self.fences.get(consumer) is None:
            return Behind()
        return self.log.behind.get(consumer, {}).get(partition, Behind())


def behind(
    bounds: LogBounds,
    fence: FenceRow | None,
    since: float | None,
    readable_since: float | None = None,
) -> Behind:
    """Return the lag between a fence and its log. The fence has to be read before the log.

    If there is no fence yet, the consumer will start where the log starts. If the log
    ends before the fence, it was recreated or truncated, and the lag is unknown.
    """
    at = next_offset(bounds, fence)
    if at > bounds.end:
        return Behind()
    in_flight = bounds.end - (passed(fence) if fence else bounds.start)
    readable = max(0, bounds.stable - at)
    return Behind(bounds.end - at, in_flight, since, readable, readable_since)


def next_offset(bounds: LogBounds, fence: FenceRow | None) -> int:
    """Return the offset that a consumer applies next."""
    return bounds.start if fence is None else fence.next_offset


def passed(fence: FenceRow) -> int:
    """Return the offset up to which all offsets have an outcome."""
    return fence.first_offset + sum(outcomes(fence).values())


def outcomes(fence: FenceRow | None) -> Mapping[str, int]:
    """Count the outcomes of the offsets that a fence has passed; all 0 if there is no fence."""
    if fence is None:
        return dict.fromkeys(OUTCOMES, 0)
    counts = (
        fence.applied,
        fence.duplicate,
        fence.stale,
        fence.parked,
        fence.dead_lettered,
        fence.gaps,
    )
    return dict(zip(OUTCOMES, counts, strict=True))


OUTCOMES = ("applied", "duplicate", "stale", "parked", "dead", "gap")
"""Possible outcomes of an offset; the values of a label."""


def in_flight(found: Iterable[Behind]) -> float:
    """Return the sum of offsets without an outcome; NaN if one partition is unknown."""
    counts = [each.in_flight for each in found]
    return math.nan if None in counts else float(sum(each or 0 for each in counts))


def _partition(row: FenceRow) -> Partition:
    return Partition(row.topic, row.partition)
