"""Every metric of a consumer, with its meaning."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.runtime.failures import HaltReason

OUTCOMES = ("applied", "duplicate", "stale", "redelivered")

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


class ConsumerMetrics:
    """The metrics of one consumer process in one registry."""

    def __init__(self, registry: CollectorRegistry, consumer: str) -> None:
        """Declare everything."""
        self._registry = registry
        self._consumer = consumer
        place = ["topic", "partition"]
        self.records = self._counter(
            "payrouter_records",
            "Records passed. applied: with effect; duplicate: the event was known; stale: too late"
            " to change anything; redelivered: the record itself was applied before",
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
        self.batch = self._histogram("payrouter_batch_records", "Records per batch", _RECORDS)
        self.transaction = self._histogram(
            "payrouter_transaction_duration_seconds",
            "From begin to commit of a batch's transaction",
            _SECONDS,
        )
        self.lag_records = self._gauge(
            "payrouter_lag_records", "Log end minus the next offset to apply", place
        )
        self.lag_seconds = self._gauge(
            "payrouter_lag_seconds", "Age of the next record to apply; 0 where there is none", place
        )
        self.halted = self._gauge(
            "payrouter_partition_halted",
            "1 where the partition stands still until a person acts",
            [*place, "reason"],
        )
        self.assigned = self._gauge("payrouter_assigned_partitions", "Partitions assigned now")
        self.ready = self._gauge("payrouter_consumer_ready", "1 where assigned and moving")
        self.progress = self._gauge(
            "payrouter_last_progress_timestamp_seconds",
            "When the consumer last applied a batch or found nothing to apply, unix time",
        )

    def start_partition(self, topic: str, partition: int) -> None:
        """Set every series of an assigned partition to its beginning."""
        where = (self._consumer, topic, str(partition))
        for outcome in OUTCOMES:
            self.records.labels(*where, outcome)
        for reason in HaltReason:
            self.halted.labels(*where, reason.value).set(0)
        self.lag_records.labels(*where).set(0)
        self.lag_seconds.labels(*where).set(0)

    def end_partition(self, topic: str, partition: int) -> None:
        """Forget the gauges of a partition that another process has now."""
        where = (self._consumer, topic, str(partition))
        self.lag_records.remove(*where)
        self.lag_seconds.remove(*where)
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
