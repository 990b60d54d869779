"""An exporter in the test's process, next to a feed and its consumers."""

import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry

from consumers.runtime.configured import Consumer
from consumers.runtime.exporter.app import ExporterProcess, Exporting, build_exporter
from tests.parts.runtime.members import Feed
from tests.parts.waiting import eventually

OFTEN = Exporting(every_seconds=0.1)

Series = frozenset[tuple[str, frozenset[tuple[str, str]]]]


@dataclass
class Exported:
    """Metrics of an exporter about the counting consumer."""

    process: ExporterProcess
    topic: str

    def value(self, name: str, **labels: str) -> float:
        """Return the value of one series, which must exist."""
        value = self.process.registry.get_sample_value(name, labels)
        assert value is not None, (name, labels)
        return value

    def of(self, name: str, partition: int = 0, **labels: str) -> float:
        """Return a metric of the consumer in one partition; NaN if it is not yet known."""
        where = {"consumer": "counting", "topic": self.topic, "partition": str(partition)}
        value = self.process.registry.get_sample_value(name, {**where, **labels})
        return math.nan if value is None else value

    def passed(self, outcome: str) -> float:
        """Return the number of offsets of partition 0 with this outcome."""
        return self.of("payrouter_group_passed_records_total", outcome=outcome)

    @property
    def in_flight(self) -> float:
        """Offsets of the whole topic without an outcome."""
        where = {"consumer": "counting", "topic": self.topic}
        return self.value("payrouter_group_in_flight_records", **where)

    @property
    def lag(self) -> list[float]:
        """Lag in records of each of the four partitions."""
        return [self.of("payrouter_group_lag_records", number) for number in range(4)]

    def failures(self, source: str) -> float:
        """Return how many rounds of a source have failed."""
        return self.value("payrouter_exporter_failures_total", source=source)

    def last_success(self, source: str) -> float:
        """Return when a round of a source last succeeded."""
        return self.value("payrouter_exporter_last_success_timestamp_seconds", source=source)

    def topics(self, name: str) -> set[str]:
        """Return the topics that a metric has series for."""
        return {
            dict(labels)["topic"]
            for found, labels in series(self.process.registry)
            if found == name
        }

    async def ready(self) -> None:
        """Wait until every source was read."""
        await eventually(lambda: self.process.ready().good, "readiness")

    async def fails(self, source: str) -> None:
        """Wait until a round of a source fails, and no other does."""
        before = self.failures(source)
        await eventually(lambda: self.failures(source) > before, f"a failure of {source}")

        def alone() -> bool:
            problems = self.process.ready().detail.splitlines()
            return [line.partition(":")[0] for line in problems] == [source]

        await eventually(alone, f"{source} alone to fail")


def series(registry: CollectorRegistry) -> Series:
    """Return all series."""
    return frozenset(
        (sample.name, frozenset(sample.labels.items()))
        for family in registry.collect()
        for sample in family.samples
    )


@contextlib.asynccontextmanager
async def exporting(
    feed: Feed, *others: Consumer, cluster_id: str | None = None, how: Exporting = OFTEN
) -> AsyncIterator[Exported]:
    """Export the counting consumer, and others, while the block runs."""
    own = Consumer(feed.service, replace(feed.settings(), cluster_id=cluster_id))
    process = build_exporter([own, *others], how)
    async with process.running():
        yield Exported(process, feed.topic)
