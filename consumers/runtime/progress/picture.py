"""What the exporter knows: the newest answer of every source, and what follows from them."""

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
    """How far a consumer is behind in one partition: None is unknown.

    `since` is the time of the next record not applied yet, in Unix seconds. Of
    `records`, `readable` are below the last stable offset, the first of them
    written at `readable_since`; NOTHING if all are markers of transactions.
    """

    records: int | None = None
    in_flight: int | None = None
    since: float | None = None
    readable: int | None = None
    readable_since: float | None = None

    def seconds(self, now: float) -> float:
        """Return how old the next record is; 0 where there is none."""
        return _age(self.records, self.since, now)

    def readable_seconds(self, now: float) -> float:
        """Return how old the next record is if it can be read, 0 if none can."""
        return _age(self.readable, self.readable_since, now)


def _age(records: int | None, since: float | None, now: float) -> float:
    if records == 0:
        return 0.0
    return math.nan if since is None else max(0.0, now - since)


@dataclass(frozen=True)
class LogView:
    """What the broker said in one round; a partition, or a consumer, it did not speak of is None.

    `behind` compares it with the fences that were known when it was asked.
    """

    cluster_id: str
    bounds: Mapping[Partition, LogBounds | None]
    committed: Mapping[str, Mapping[Partition, int] | None]
    members: Mapping[str, GroupDescription | None]
    behind: Mapping[str, Mapping[Partition, Behind]] = field(default_factory=dict)
    withheld: Mapping[Partition, float] = field(default_factory=dict)
    """For how many seconds the end of each log has been withheld by now; 0 where it is not."""
    hidden: frozenset[str] = frozenset()
    """Topics that the broker did not show: they may be there."""


@dataclass
class Picture:
    """The newest of everything, by consumer; the topics of each are told at the beginning."""

    topics: Mapping[str, Sequence[str]]
    log: LogView | None = None
    fences: dict[str, Sequence[FenceRow] | None] = field(default_factory=dict)
    _heard: set[str] = field(default_factory=set)
    _heard_all: asyncio.Event = field(default_factory=asyncio.Event)
    _cluster_id: str | None = None
    _partitions: frozenset[Partition] = frozenset()
    _fenced: dict[str, frozenset[Partition]] = field(default_factory=dict)

    def log_is(self, view: LogView | None) -> None:
        """Take over what the broker said; None where it said nothing."""
        self.log = view
        if view is not None:
            self._cluster_id = view.cluster_id
            self._partitions = frozenset(view.bounds)

    def fences_are(self, consumer: str, rows: Sequence[FenceRow] | None) -> None:
        """Take over a consumer's fences, of whatever cluster; None where they could not be read."""
        self.fences[consumer] = rows
        if rows is not None:
            self._fenced[consumer] = frozenset(_partition(row) for row in rows)
        self._heard.add(consumer)
        if self._heard >= self.topics.keys():
            self._heard_all.set()

    async def every_store(self) -> None:
        """Wait until every store was read, or could not be, since this was last waited for."""
        await self._heard_all.wait()
        self._heard.clear()
        self._heard_all.clear()

    @property
    def partitions(self) -> Sequence[Partition]:
        """The partitions there are, or were when the broker last answered."""
        return sorted(self._partitions)

    def places(self, consumer: str) -> Sequence[Partition]:
        """Return what a consumer reads: known of the broker, or by its fences."""
        known = self._partitions | self._fenced.get(consumer, frozenset())
        return sorted(p for p in known if p.topic in self.topics[consumer])

    def fences_of(
        self, consumer: str, cluster_id: str | None = None
    ) -> Mapping[Partition, FenceRow] | None:
        """Return the fences of this cluster, None where they are not known; no other's count."""
        rows, cluster_id = self.fences.get(consumer), cluster_id or self._cluster_id
        if rows is None or cluster_id is None:
            return None
        return {_partition(row): row for row in rows if row.cluster_id == cluster_id}

    def behind(self, consumer: str, partition: Partition) -> Behind:
        """Return how far a consumer is behind, unknown while its store or the broker is away."""
        if self.log is None or self.fences.get(consumer) is None:
            return Behind()
        return self.log.behind.get(consumer, {}).get(partition, Behind())


def behind(
    bounds: LogBounds,
    fence: FenceRow | None,
    since: float | None,
    readable_since: float | None = None,
) -> Behind:
    """Compare a fence with its log, which was looked at later.

    Where there is no fence yet, the consumer will begin where the log does. A
    log that ends before the fence is another than the one that was applied.
    """
    at = next_offset(bounds, fence)
    if at > bounds.end:
        return Behind()
    in_flight = bounds.end - (passed(fence) if fence else bounds.start)
    readable = max(0, bounds.stable - at)
    return Behind(bounds.end - at, in_flight, since, readable, readable_since)


def next_offset(bounds: LogBounds, fence: FenceRow | None) -> int:
    """Return which offset a consumer will apply next."""
    return bounds.start if fence is None else fence.next_offset


def passed(fence: FenceRow) -> int:
    """Return up to where every offset is accounted for: the first, and what became of each."""
    return fence.first_offset + sum(outcomes(fence).values())


def outcomes(fence: FenceRow | None) -> Mapping[str, int]:
    """Return what became of the offsets that a fence has passed, all 0 where there is none."""
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
"""What an offset may have been; the label of a metric."""


def in_flight(found: Iterable[Behind]) -> float:
    """Sum up what is not accounted for, unknown where one partition is."""
    counts = [each.in_flight for each in found]
    return math.nan if None in counts else float(sum(each or 0 for each in counts))


def _partition(row: FenceRow) -> Partition:
    return Partition(row.topic, row.partition)
