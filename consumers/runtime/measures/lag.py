"""How far behind each partition is, and when something of it was last passed."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.measures.first_record import NOTHING
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.records import Partition


@dataclass(frozen=True)
class Look:
    """What a look into the log found behind a fence that stands at `next_offset`.

    `since` is the time of the first record that can be read, in Unix seconds:
    NOTHING where there is none below `stable`, None where it is not known.
    """

    next_offset: int
    stable: int
    end: int
    since: float | None = None


class Lag:
    """Keeps the gauges of the assigned partitions.

    What is not known yet has no series: neither the broker nor the store has
    answered.
    """

    def __init__(self, consumer: str, metrics: ConsumerMetrics) -> None:
        """Remember where to write."""
        self._consumer = consumer
        self._metrics = metrics
        self._level: dict[Partition, float] = {}
        self._looks: dict[Partition, Look] = {}

    def begin(self, partition: Partition) -> None:
        """Count the time without progress from the assignment on."""
        self._metrics.progress.labels(*self._where(partition)).set_to_current_time()

    def end(self, partition: Partition) -> None:
        """Forget a partition that another process has now."""
        self._level.pop(partition, None)
        self._looks.pop(partition, None)
        for gauge in self._metrics.of_a_place:
            gauge.remove(*self._where(partition))

    def progress(
        self,
        passed: Iterable[Partition],
        fences: Mapping[Partition, Fence],
        ends: Mapping[Partition, int | None],
    ) -> None:
        """Note what was passed, and where nothing waits."""
        self.measure(fences, ends)
        level = {p for p, fence in fences.items() if self._is_level(fence, ends.get(p))}
        for partition in level | (fences.keys() & set(passed)):
            self.begin(partition)

    def measure(
        self, fences: Mapping[Partition, Fence], ends: Mapping[Partition, int | None]
    ) -> None:
        """Measure how far the logs reach behind the fences; an end is the high watermark."""
        for partition, fence in fences.items():
            end = ends.get(partition)
            if end is not None:
                self._set(fence, end)

    def look(self, fences: Mapping[Partition, Fence], looks: Mapping[Partition, Look]) -> None:
        """Measure by what was found in the log, while the fences may have gone on."""
        self._looks.update(looks)
        self.measure(fences, {partition: seen.end for partition, seen in looks.items()})

    def withheld(self, partition: Partition, records: int, seconds: float) -> None:
        """Note what an open transaction withholds, and for how long by now."""
        where = self._where(partition)
        self._metrics.withheld_records.labels(*where).set(records)
        self._metrics.withheld_seconds.labels(*where).set(seconds)

    def _set(self, fence: Fence, end: int) -> None:
        where = self._where(fence.partition)
        self._metrics.lag_records.labels(*where).set(max(0, end - fence.next_offset))
        seconds = self._seconds(fence, end)
        if seconds is not None:
            self._metrics.lag_seconds.labels(*where).set(seconds)
        look = self._looks.get(fence.partition)
        if look is None:
            return
        readable = max(0, look.stable - fence.next_offset)
        self._metrics.readable_records.labels(*where).set(readable)
        if not readable or _is_void(look, fence):
            self._metrics.readable_seconds.labels(*where).set(0)
        elif seconds is not None:
            self._metrics.readable_seconds.labels(*where).set(seconds)

    def _seconds(self, fence: Fence, end: int) -> float | None:
        """Return how old the next record is at most; None where nothing of it is known."""
        now = time.time()
        if self._is_level(fence, end):
            self._level[fence.partition] = now
            return 0.0
        # The next record came after the last one applied, and after nothing was waiting.
        known = [self._level[fence.partition]] if fence.partition in self._level else []
        if fence.last is not None:
            known.append(fence.last.timestamp / 1000)
        look = self._looks.get(fence.partition)
        if look is not None and look.next_offset == fence.next_offset:
            known += [] if look.since in {None, NOTHING} else [look.since or 0.0]
        return max(0.0, now - max(known)) if known else None

    def _is_level(self, fence: Fence, end: int | None) -> bool:
        """Tell whether nothing waits: the log ends here, or holds only markers from here on."""
        if end is None:
            return False
        look = self._looks.get(fence.partition)
        markers = look is not None and look.stable >= end and _is_void(look, fence)
        return end <= fence.next_offset or markers

    def _where(self, partition: Partition) -> tuple[str, str, str]:
        return (self._consumer, partition.topic, str(partition.number))


def _is_void(look: Look, fence: Fence) -> bool:
    """Tell whether the log has no record from a fence to where it can be read."""
    return look.next_offset == fence.next_offset and look.since == NOTHING
