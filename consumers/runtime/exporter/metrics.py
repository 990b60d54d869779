"""Every metric that the exporter computes from log and store, with its meaning."""

import math
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.runtime.measures.metrics import transaction_limit
from consumers.runtime.measures.stored import WaitingMetrics
from consumers.runtime.progress.picture import Picture, in_flight, outcomes

Family = GaugeMetricFamily | CounterMetricFamily

_PLACE = ("topic", "partition")
_GROUP = ("consumer", *_PLACE)


class ExporterMetrics:
    """What the exporter says of itself, and of every consumer's store."""

    def __init__(self, registry: CollectorRegistry, sources: Sequence[str]) -> None:
        """Declare everything; a source is the broker, or a consumer by its name."""
        self.waiting = WaitingMetrics(registry)
        self.failures = Counter(
            "payrouter_exporter_failures",
            "Rounds in which a source could not be read, or not all of it; broker, or a consumer's"
            " name for its store",
            ["source"],
            registry=registry,
        )
        self.success = Gauge(
            "payrouter_exporter_last_success_timestamp_seconds",
            "When a source was last read whole. Unix time; 0 before the first",
            ["source"],
            registry=registry,
        )
        self.transaction_limit = transaction_limit(registry)
        for source in sources:
            self.failures.labels(source)
            self.success.labels(source)


class PictureCollector(Collector):
    """Tells Prometheus what the picture shows, a time of now included."""

    def __init__(self, picture: Picture, clock: Callable[[], float] = time.time) -> None:
        """Remember what to look at."""
        self._picture = picture
        self._clock = clock

    def describe(self) -> Iterator[Family]:
        """Declare every metric."""
        return _families()

    def collect(self) -> Iterator[Family]:
        """Give every metric a sample per partition, or per consumer; what is unknown is NaN."""
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
        for partition in self._picture.places(consumer):
            where = [consumer, partition.topic, str(partition.number)]
            row = rows.get(partition) if rows is not None else None
            fence.add_metric(where, _known(row.next_offset if row else None))
            for outcome, count in outcomes(row).items():
                passed.add_metric([*where, outcome], math.nan if rows is None else count)

    def _add_committed(self, consumer: str, committed: Family) -> None:
        log = self._picture.log
        said = (log and log.committed.get(consumer)) or {}
        for partition in self._picture.places(consumer):
            where = [consumer, partition.topic, str(partition.number)]
            committed.add_metric(where, _known(said.get(partition)))

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
        found = {p: picture.behind(consumer, p) for p in picture.places(consumer)}
        for partition, behind in found.items():
            where = [consumer, partition.topic, str(partition.number)]
            records.add_metric(where, _known(behind.records))
            seconds.add_metric(where, behind.seconds(now))
            readable.add_metric(where, _known(behind.readable))
            readable_seconds.add_metric(where, behind.readable_seconds(now))
        for topic in picture.topics[consumer]:
            own = [behind for partition, behind in found.items() if partition.topic == topic]
            # Of a topic that is not there nothing is known, which is not nothing.
            flight.add_metric([consumer, topic], in_flight(own) if own else math.nan)


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _families() -> Iterator[Family]:
    """Declare every metric: of the logs, of each consumer, and how far it is behind."""
    yield from _of_logs()
    yield from _of_groups()
    yield from _of_lag()


def _of_logs() -> Iterator[Family]:
    yield GaugeMetricFamily(
        "payrouter_log_start_offset", "The first offset that the log still has", labels=_PLACE
    )
    yield GaugeMetricFamily(
        "payrouter_log_stable_offset",
        "The last stable offset: no consumer can read at or behind it",
        labels=_PLACE,
    )
    yield GaugeMetricFamily(
        "payrouter_log_end_offset", "The offset that the next record will have", labels=_PLACE
    )
    yield GaugeMetricFamily(
        "payrouter_log_withheld_records",
        "Log end minus the last stable offset: offsets that an open transaction withholds",
        labels=_PLACE,
    )
    yield GaugeMetricFamily(
        "payrouter_log_withheld_seconds",
        "For how long the last stable offset was seen to stand below the log end; 0 where it does"
        " not",
        labels=_PLACE,
    )


def _of_groups() -> Iterator[Family]:
    yield GaugeMetricFamily(
        "payrouter_group_next_offset",
        "The fence: everything before it is applied, known or held. NaN where there is none yet",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_committed_offset",
        "What the group has told Kafka, for lag tools; the fence holds the truth",
        labels=_GROUP,
    )
    yield CounterMetricFamily(
        "payrouter_group_passed_records",
        "Offsets that the fence has passed, ever. applied: with effect; duplicate: the event was"
        " known; stale: too late to change anything; parked, dead: held at first; gap: no record",
        labels=(*_GROUP, "outcome"),
    )
    yield GaugeMetricFamily(
        "payrouter_group_in_flight_records",
        "Completeness: log end minus the first offset and all that was passed since. What is left"
        " is on its way",
        labels=("consumer", "topic"),
    )
    yield GaugeMetricFamily(
        "payrouter_group_members",
        "Members of the consumer group. NaN where the broker does not say",
        labels=("consumer",),
    )


def _of_lag() -> Iterator[Family]:
    yield GaugeMetricFamily(
        "payrouter_group_lag_records",
        "Log end minus the fence, whether the consumer runs or not",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_lag_seconds",
        "Age of the next record that is not applied yet, by its own time, even if an open"
        " transaction withholds it; 0 where there is none",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_readable_lag_records",
        "Last stable offset minus the fence: what the consumer could read now",
        labels=_GROUP,
    )
    yield GaugeMetricFamily(
        "payrouter_group_readable_lag_seconds",
        "Age of the next record if it can be read now, by its own time; else 0",
        labels=_GROUP,
    )
