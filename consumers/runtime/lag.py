"""How far behind each partition is, and when something of it was last passed."""

import time
from collections.abc import Iterable, Mapping

from consumers.runtime.metrics import ConsumerMetrics
from consumers.runtime.offsets import Fence
from consumers.runtime.records import Partition


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

    def begin(self, partition: Partition) -> None:
        """Count the time without progress from the assignment on."""
        self._metrics.progress.labels(*self._where(partition)).set_to_current_time()

    def end(self, partition: Partition) -> None:
        """Forget a partition that another process has now."""
        self._level.pop(partition, None)
        metrics = self._metrics
        for gauge in (metrics.lag_records, metrics.lag_seconds, metrics.progress):
            gauge.remove(*self._where(partition))

    def progress(
        self,
        passed: Iterable[Partition],
        fences: Mapping[Partition, Fence],
        ends: Mapping[Partition, int | None],
    ) -> None:
        """Note what was passed, and where nothing waits."""
        self.measure(fences, ends)
        level = {p for p, fence in fences.items() if fence.next_offset == ends.get(p)}
        for partition in level | (fences.keys() & set(passed)):
            self.begin(partition)

    def measure(
        self, fences: Mapping[Partition, Fence], ends: Mapping[Partition, int | None]
    ) -> None:
        """Measure how far the logs reach behind the fences."""
        for partition, fence in fences.items():
            end = ends.get(partition)
            if end is not None:
                self._set(fence, max(0, end - fence.next_offset))

    def _set(self, fence: Fence, behind: int) -> None:
        where = self._where(fence.partition)
        self._metrics.lag_records.labels(*where).set(behind)
        now = time.time()
        if not behind:
            self._level[fence.partition] = now
        # The next record came after the last one applied, and after nothing was waiting.
        known = [self._level[fence.partition]] if fence.partition in self._level else []
        if fence.last is not None:
            known.append(fence.last.timestamp / 1000)
        if known:
            self._metrics.lag_seconds.labels(*where).set(max(0.0, now - max(known)))

    def _where(self, partition: Partition) -> tuple[str, str, str]:
        return (self._consumer, partition.topic, str(partition.number))
