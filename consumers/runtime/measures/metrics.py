"""Every metric of a consumer process, with its meaning; `stored` has those read from its store."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.runtime.apply.failures import HaltReason
from consumers.runtime.fate import RETRY_FATES, Fate
from consumers.runtime.measures.stored import WaitingMetrics

UPKEEP = ("watch", "identity", "lag", "parked", "outbox", "forget")
"""The work beside the loop; the label of a metric."""

RETRYING = ("position", "fetch", "apply")
"""What the loop tries again; the label of a metric."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


def transaction_limit(registry: CollectorRegistry) -> Gauge:
    """Declare what the alert on open transactions compares with, in whatever process knows it."""
    return Gauge(
        "payrouter_open_transaction_limit_seconds",
        "How long an open transaction may withhold records before it is trouble: the"
        " open_transaction_seconds of the consumer's configuration",
        ["consumer"],
        registry=registry,
    )


class ConsumerMetrics:
    """The metrics of one consumer process in one registry."""

    def __init__(
        self, registry: CollectorRegistry, consumer: str, work: Sequence[str] = ()
    ) -> None:
        """Declare everything; `work` is the service's own beside its events."""
        self._registry = registry
        self._consumer = consumer
        place = ["topic", "partition"]
        self.records = self._counter(
            "payrouter_records",
            "Records passed. applied: with effect; duplicate: the event was known; stale: too late"
            " to change anything; parked: held to be tried again; dead: held until a person acts;"
            " redelivered: the record itself was passed before",
            [*place, "outcome"],
        )
        self.rebalances = self._counter("payrouter_rebalances", "Assignments received")
        self.fence_conflicts = self._counter(
            "payrouter_fence_conflicts", "Batches given up because another process moved the fence"
        )
        self.commit_failures = self._counter(
            "payrouter_commit_failures",
            "Offset commits to Kafka that failed; harmless, the fence holds the truth",
        )
        self.retries = self._counter(
            "payrouter_retries", "Batches tried again after a passing failure", ["reason"]
        )
        for reason in RETRYING:
            self.retries.labels(consumer, reason)
        self.halted = self._gauge(
            "payrouter_partition_halted",
            "1 where the partition stands still until a person acts",
            [*place, "reason"],
        )
        self.assigned = self._gauge("payrouter_assigned_partitions", "Partitions assigned now")
        self.ready = self._gauge("payrouter_consumer_ready", "1 where assigned and moving")
        self._declare_lag(place)
        self._declare_sizes()
        self._declare_held([*UPKEEP, *work])
        self.waiting = WaitingMetrics(registry)
        self.waiting.set(consumer, None)

    def _declare_lag(self, place: list[str]) -> None:
        """Declare how far behind each assigned partition is."""
        self.lag_records = self._gauge(
            "payrouter_lag_records",
            "Log end minus the next offset to apply; no series where either is not known",
            place,
        )
        self.lag_seconds = self._gauge(
            "payrouter_lag_seconds",
            "How old the next record to apply is at most; 0 where there is none. It grows while an"
            " open transaction withholds that record",
            place,
        )
        self.readable_records = self._gauge(
            "payrouter_readable_lag_records",
            "Last stable offset minus the next offset to apply: what a consumer could read now",
            place,
        )
        self.readable_seconds = self._gauge(
            "payrouter_readable_lag_seconds",
            "How old the next record is at most, if it can be read now; else 0",
            place,
        )
        self.withheld_records = self._gauge(
            "payrouter_withheld_records",
            "Log end minus the last stable offset: offsets that an open transaction withholds",
            place,
        )
        self.withheld_seconds = self._gauge(
            "payrouter_withheld_seconds",
            "For how long the last stable offset was seen to stand below the log end; 0 where it"
            " does not",
            place,
        )
        self.progress = self._gauge(
            "payrouter_last_progress_timestamp_seconds",
            "When something of the partition was last passed or nothing was left to pass; before"
            " that, when it was assigned. Unix time",
            place,
        )
        self.of_a_place = (
            self.lag_records,
            self.lag_seconds,
            self.readable_records,
            self.readable_seconds,
            self.withheld_records,
            self.withheld_seconds,
            self.progress,
        )
        self.transaction_limit = transaction_limit(self._registry)

    def _declare_sizes(self) -> None:
        """Declare how large, how long and how old."""
        self.batch = self._histogram("payrouter_batch_records", "Records per batch", _RECORDS)
        self.transaction = self._histogram(
            "payrouter_transaction_duration_seconds",
            "From begin to commit of a batch's transaction",
            _SECONDS,
        )
        self.event_age = self._histogram(
            "payrouter_event_age_seconds",
            "From the edge's taking an event to the commit of its effect; of applied events only,"
            " those included that were parked meanwhile",
            _AGES,
        )

    def _declare_held(self, works: Iterable[str]) -> None:
        """Declare what becomes of records that cannot be applied at once."""
        consumer = self._consumer
        self.conflicts = self._counter(
            "payrouter_conflicts",
            "Events that came again with contradicting content; the original stands",
        )
        self.parked_retries = self._counter(
            "payrouter_parked_retries",
            "Tries of parked records, by what they came to. parked: it stays so",
            ["outcome"],
        )
        for fate in RETRY_FATES:
            self.parked_retries.labels(consumer, fate.value)
        self.upkeep_failures = self._counter(
            "payrouter_upkeep_failures",
            "Rounds of the work beside the loop that failed and are made again",
            ["work"],
        )
        for work in works:
            self.upkeep_failures.labels(consumer, work)

    def start_partition(self, topic: str, partition: int) -> None:
        """Set every series of an assigned partition to its beginning."""
        where = (self._consumer, topic, str(partition))
        for fate in Fate:
            self.records.labels(*where, fate.value)
        for reason in HaltReason:
            self.halted.labels(*where, reason.value).set(0)

    def end_partition(self, topic: str, partition: int) -> None:
        """Forget the halts of a partition that another process has now."""
        where = (self._consumer, topic, str(partition))
        for reason in HaltReason:
            self.halted.remove(*where, reason.value)

    def _counter(self, name: str, meaning: str, labels: list[str] | None = None) -> Counter:
        counter = Counter(name, meaning, ["consumer", *(labels or [])], registry=self._registry)
        if not labels:
            counter.labels(self._consumer)
        return counter

    def _gauge(self, name: str, meaning: str, labels: list[str] | None = None) -> Gauge:
        gauge = Gauge(name, meaning, ["consumer", *(labels or [])], registry=self._registry)
        if not labels:
            gauge.labels(self._consumer)
        return gauge

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        histogram = Histogram(name, meaning, ["consumer"], buckets=buckets, registry=self._registry)
        histogram.labels(self._consumer)
        return histogram
