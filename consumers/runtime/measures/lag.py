"""Measures the lag of each assigned partition, and the time of its last progress."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.measures.first_record import NOTHING
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.records import Partition


@dataclass(frozen=True)
class LagReading:
    """State of a log relative to a fence whose next offset is `next_offset`.

    `since` is the time of the first readable record, in Unix seconds: NOTHING if no
    record precedes `stable`, None if the time is unknown.
    """

    next_offset: int
    stable: int
    end: int
    since: float | None = None


class Lag:
    """Updates the gauges of the assigned partitions.

    A gauge has no series until the broker and the store have returned its value.
    """

    def __init__(self, consumer: str, metrics: ConsumerMetrics) -> None:
        """Start with no partition; write to `metrics`."""
        self._consumer = consumer
        self._metrics = metrics
        self._level: dict[Partition, float] = {}
        self._readings: dict[Partition, LagReading] = {}

    def begin(self, partition: Partition) -> None:
        """Restart the time without progress, for example at the assignment."""
        self._metrics.progress.labels(*self._where(partition)).set_to_current_time()

    def end(self, partition: Partition) -> None:
        """Drop a partition that is assigned to another process now."""
        self._level.pop(partition, None)
        self._readings.pop(partition, None)
        for gauge in self._metrics.by_partition:
            gauge.remove(*self._where(partition))

    def progress(
        self,
        passed: Iterable[Partition],
        fences: Mapping[Partition, Fence],
        ends: Mapping[Partition, int | None],
    ) -> None:
        """Record progress: of partitions with passed records, and of those without lag."""
        self.measure(fences, ends)
        level = {p for p, fence in fences.items() if self._is_level(fence, ends.get(p))}
        for partition in level | (fences.keys() & set(passed)):
            self.begin(partition)

    def measure(
        self, fences: Mapping[Partition, Fence], ends: Mapping[Partition, int | None]
    ) -> None:
        """Measure the distance from the fences to the ends (high watermarks) of the logs."""
        for partition, fence in fences.items():
            end = ends.get(partition)
            if end is not None:
                self._set(fence, end)

    def take_readings(
        self, fences: Mapping[Partition, Fence], readings: Mapping[Partition, LagReading]
    ) -> None:
        """Measure with new readings of the logs; the fences may have moved since."""
        self._readings.update(readings)
        self.measure(fences, {partition: seen.end for partition, seen in readings.items()})

    def withheld(self, partition: Partition, records: int, seconds: float) -> None:
        """Set how many records an open transaction withholds, and for how long so far."""
        where = self._where(partition)
        self._metrics.withheld_records.labels(*where).set(records)
        self._metrics.withheld_seconds.labels(*where).set(seconds)

    def _set(self, fence: Fence, end: int) -> None:
        where = self._where(fence.partition)
        self._metrics.lag_records.labels(*where).set(max(0, end - fence.next_offset))
        seconds = self._seconds(fence, end)
        if seconds is not None:
            self._metrics.lag_seconds.labels(*where).set(seconds)
        reading = self._readings.get(fence.partition)
        if reading is None:
            return
        readable = max(0, reading.stable - fence.next_offset)
        self._metrics.readable_records.labels(*where).set(readable)
        if not readable or _has_no_record(reading, fence):
            self._metrics.readable_seconds.labels(*where).set(0)
        elif seconds is not None:
            self._metrics.readable_seconds.labels(*where).set(seconds)

    def _seconds(self, fence: Fence, end: int) -> float | None:
        """Return the maximum age of the next record; None if nothing is known about it."""
        now = time.time()
        if self._is_level(fence, end):
            self._level[fence.partition] = now
            return 0.0
        # The next record is younger than the last applied one, and than the last time without lag.
        known = [self._level[fence.partition]] if fence.partition in self._level else []
        if fence.last is not None:
            known.append(fence.last.timestamp / 1000)
        reading = self._readings.get(fence.partition)
        if reading is not None and reading.next_offset == fence.next_offset:
            known += [] if reading.since in {None, NOTHING} else [reading.since or 0.0]
        return max(0.0, now - max(known)) if known else None

    def _is_level(self, fence: Fence, end: int | None) -> bool:
        """Return whether there is no lag: the log ends at the fence, or only markers follow."""
        if end is None:
            return False
        reading = self._readings.get(fence.partition)
        markers = reading is not None and reading.stable >= end and _has_no_record(reading, fence)
        return end <= fence.next_offset or markers

    def _where(self, partition: Partition) -> tuple[str, str, str]:
        return (self._consumer, partition.topic, str(partition.number))


def _has_no_record(reading: LagReading, fence: Fence) -> bool:
    """Return whether the log has no record between the fence and the last stable offset."""
    return reading.next_offset == fence.next_offset and reading.since == NOTHING
