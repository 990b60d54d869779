"""All metrics that the exporter calculates from logs and stores."""

import math
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.runtime.measures.cases import CaseMetrics
from consumers.runtime.measures.metrics import transaction_limit
from consumers.runtime.measures.stored import WaitingMetrics
from consumers.runtime.progress.picture import Picture, in_flight, outcomes
from router.telemetry.declaring import MetricDeclarations

Family = GaugeMetricFamily | CounterMetricFamily

_PARTITION = ("topic", "partition")
_GROUP = ("consumer", *_PARTITION)


class ExporterMetrics:
    """Metrics of the exporter itself and of the consumers' stores."""

    def __init__(self, registry: CollectorRegistry, sources: Sequence[str]) -> None:
        """Declare all metrics; a source is `broker` or the name of a consumer."""
        self.waiting = WaitingMetrics(registry)
        self.cases = CaseMetrics(registry)
        declare = MetricDeclarations(registry)
        self.failures = declare.counter(
            "payrouter_exporter_failures",
            "Rounds in which a source could not be read completely; the source is broker, or a"
            " consumer's name for its store",
            "source",
        )
        self.success = declare.gauge(
            "payrouter_exporter_last_success_timestamp_seconds",
            "When a source was last read completely. Unix time; 0 before the first time",
            "source",
        )
        self.transaction_limit = transaction_limit(registry)
        for source in sources:
            self.failures.labels(source)
            self.success.labels(source)


class PictureCollector(Collector):
    """Exports the picture to Prometheus, with ages as of each scrape."""

    def __init__(self, picture: Picture, clock: Callable[[], float] = time.time) -> None:
        """Collect from this picture."""
        self._picture = picture
        self._clock = clock

    def describe(self) -> Iterator[Family]:
        """Declare every metric."""
        return _families()

    def collect(self) -> Iterator[Family]:
        """Yield all metrics with a sample per partition or per consumer; NaN if unknown."""
        families = tuple(_families())
        log_families, families = families[:5], families[5:]
        fence, committed, passed, flight, members, *behind = families
        self._add_log(*log_families)
        for consumer in self._picture.topics:
            self._add_fences(consumer, fence, passed)
            self._add_committed(consumer, committed)
            self._add_behind(consumer, flight, *behind)
            log = self._picture.log
            group = log.members.get(consumer) if log else None
            members.add_metric([consumer], _known(group.members if group else None))
        yield from (*log_families, *families)

    def _add_log(
        self, start: Family, stable: Family, end: Family, records: Family, seconds: Family
    ) -> None:
        log = self._picture.log
        for partition in self._picture.partitions:
            bounds = log.bounds.get(partition) if log else None
            where = [partition.topic, str(partition.number)]
            start.add_metric(where, _known(bounds.start if bounds else None))
            stable.add_metric(where, _known(bounds.stable if bounds else None))
            end.add_metric(where, _known(bounds.end if bounds else None))
            records.add_metric(where, _known(bounds.end - bounds.stable if bounds else None))
            lasts = log.withheld.get(partition) if log and bounds else None
            seconds.add_metric(where, _known(lasts))

    def _add_fences(self, consumer: str, fence: Family, passed: Family) -> None:
        rows = self._picture.fences_of(consumer)
        for partition in self._picture.partitions_of(consumer):
            where = [consumer, partition.topic, str(partition.number)]
            row = rows.get(partition) if rows is not None else None
            fence.add_metric(where, _known(row.next_offset if row else None))
            for outcome, count in outcomes(row).items():
                passed.add_metric([*where, outcome], math.nan if rows is None else count)

    def _add_committed(self, consumer: str, committed: Family) -> None:
        log = self._picture.log
        offsets = (log and log.committed.get(consumer)) or {}
        for partition in self._picture.partitions_of(consumer):
            where = [consumer, partition.topic, str(partition.number)]
            committed.add_metric(where, _known(offsets.get(partition)))

    def _add_behind(
        self,
        consumer: str,
        flight: Family,
        records: Family,
        seconds: Family,
        readable: Family,
        readable_seconds: Family,
    ) -> None:
        now, picture = self._clock(), self._picture
        found = {p: picture.behind(consumer, p) for p in picture.partitions_of(consumer)}
        for partition, behind in found.items():
            where = [consumer, partition.topic, str(partition.number)]
            records.add_metric(where, _known(behind.records))
            seconds.add_metric(where, behind.seconds(now))
            readable.add_metric(where, _known(behind.readable))
            readable_seconds.add_metric(where, behind.readable_seconds(now))
        for topic in picture.topics[consumer]:
            own = [behind for partition, behind in found.items() if partition.topic == topic]
            # A missing topic is unknown, which is not the same as zero.
            flight.add_metric([consumer, topic], in_flight(own) if own else math.nan)


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _families() -> Iterator[Family]:
    """Declare all metrics: of the logs, of each consumer, and of its lag."""
    yield from _of_logs()
    yield from _of_groups()
    yield from _of_lag()


def _of_logs() -> Iterator[Family]:
    yield GaugeMetricFamily(
        "payrouter_log_start_offset", "First offset that the log still has", labels=_PARTITION
    )
    yield GaugeMetricFamily(
        "payrouter_log_stable_offset",
        "Last stable offset: consumers can only read before it",
        labels=_PARTITION,
    )
    yield GaugeMetricFamily(
        "payrouter_log_end_offset", "Offset of the next record to be written", labels=_PARTITION
    )
    yield GaugeMetricFamily(
        "payrouter_log_withheld_records",
        "Log end minus the last stable offset: offsets that an open transaction withholds",
        labels=_PARTITION,
    )
    yield GaugeMetricFamily(
        "payrouter_log_withheld_seconds",
        "How long the last stable offset has been observed before the log end; 0 if it is at the"
        " end",
        labels=_PARTITION,
    )


def _of_groups() -> Iterator[Family]:
    yield GaugeMetricFamily(
        "payrouter_group_next_offset",
        "The fence: all records before it are applied, known or held. NaN if there is none yet",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_committed_offset",
        "Offset that the group committed to Kafka, for lag tools; the fence is authoritative",
        labels=_GROUP,
    )
    yield CounterMetricFamily(
        "payrouter_group_passed_records",
        "Total offsets that the fence has passed. applied: with effect; duplicate: the event was"
        " applied before; stale: too late to change anything; parked, dead: held at first; gap: no"
        " record",
        labels=(*_GROUP, "outcome"),
    )
    yield GaugeMetricFamily(
        "payrouter_group_in_flight_records",
        "Completeness: log end minus the first offset and minus all offsets passed since. The rest"
        " is in flight",
        labels=("consumer", "topic"),
    )
    yield GaugeMetricFamily(
        "payrouter_group_members",
        "Members of the consumer group. NaN if the broker does not report them",
        labels=("consumer",),
    )


def _of_lag() -> Iterator[Family]:
    yield GaugeMetricFamily(
        "payrouter_group_lag_records",
        "Log end minus the fence, even if the consumer does not run",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_lag_seconds",
        "Age of the next record to apply, by its own timestamp, even if an open transaction"
        " withholds it; 0 if there is none",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_readable_lag_records",
        "Last stable offset minus the fence: what the consumer could read now",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_readable_lag_seconds",
        "Age of the next record if it can be read now, by its own timestamp; otherwise 0",
        labels=_GROUP,
    )
