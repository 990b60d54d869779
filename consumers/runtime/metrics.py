"""Every metric of a consumer, with its meaning."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.runtime.failures import HaltReason
from consumers.runtime.held import DEAD, PARKED
from consumers.runtime.process import WORDS
from consumers.runtime.retry import RETRIED
from consumers.runtime.waiting import Waiting

UPKEEP = ("watch", "lag", "parked", "outbox", "forget")
"""The work beside the loop; the label of a metric."""

RETRYING = ("position", "fetch", "apply")
"""What the loop tries again; the label of a metric."""

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
        self.batch = self._histogram("payrouter_batch_records", "Records per batch", _RECORDS)
        self.transaction = self._histogram(
            "payrouter_transaction_duration_seconds",
            "From begin to commit of a batch's transaction",
            _SECONDS,
        )
        self.lag_records = self._gauge(
            "payrouter_lag_records",
            "Log end minus the next offset to apply; no series where either is not known",
            place,
        )
        self.lag_seconds = self._gauge(
            "payrouter_lag_seconds",
            "How old the next record to apply is at most; 0 where there is none",
            place,
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
            "When something of the partition was last passed or nothing was left to pass; before"
            " that, when it was assigned. Unix time",
            place,
        )
        self._declare_held()
        self._declare_waiting()

    def _declare_held(self) -> None:
        """Declare what becomes of records that cannot be applied at once."""
        consumer = self._consumer
        self.conflicts = self._counter(
            "payrouter_conflicts",
            "Events that came again with contradicting content; the original stands",
        )
        self.parked_retries = self._counter(
            "payrouter_parked_retries",
            "Tries of parked records, by what they came to. failed: it stays parked",
            ["outcome"],
        )
        for word in RETRIED:
            self.parked_retries.labels(consumer, word)
        self.upkeep_failures = self._counter(
            "payrouter_upkeep_failures",
            "Rounds of the work beside the loop that failed and are made again",
            ["work"],
        )
        for work in UPKEEP:
            self.upkeep_failures.labels(consumer, work)

    def _declare_waiting(self) -> None:
        """Declare what is read from the store; every process of a consumer says the same."""
        self.held = self._gauge(
            "payrouter_held_records",
            "Records held back. parked: tried again by itself; dead: until a person acts",
            ["state"],
        )
        self.held_oldest = self._gauge(
            "payrouter_held_oldest_seconds",
            "For how long the oldest of them is held; 0 where there is none",
            ["state"],
        )
        self.brake_held = self._gauge(
            "payrouter_brake_held", "1 where nothing is applied until `payrouter brake clear`"
        )
        self.outbox_waiting = self._gauge(
            "payrouter_outbox_waiting", "Records in the outbox that are not on the broker yet"
        )
        self.outbox_refused = self._gauge(
            "payrouter_outbox_refused",
            "Records that the broker refused for good, `payrouter outbox show` names them",
        )
        self.set_waiting(None)

    def set_waiting(self, waiting: Waiting | None) -> None:
        """Set what was read from the store; None where it could not be: unknown is not zero."""
        consumer, unknown = self._consumer, math.nan
        for state in (PARKED, DEAD):
            held = waiting.held.get(state, 0) if waiting else unknown
            oldest = waiting.oldest.get(state, 0) if waiting else unknown
            self.held.labels(consumer, state).set(held)
            self.held_oldest.labels(consumer, state).set(oldest)
        self.brake_held.labels(consumer).set(waiting.braked if waiting else unknown)
        self.outbox_waiting.labels(consumer).set(waiting.outbox if waiting else unknown)
        self.outbox_refused.labels(consumer).set(waiting.refused if waiting else unknown)

    def start_partition(self, topic: str, partition: int) -> None:
        """Set every series of an assigned partition to its beginning."""
        where = (self._consumer, topic, str(partition))
        for outcome in WORDS:
            self.records.labels(*where, outcome)
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
