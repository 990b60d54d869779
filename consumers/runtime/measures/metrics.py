"""All metrics of a consumer process; `stored` has those that are read from its store."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Gauge

from consumers.runtime.apply.failures import HaltReason
from consumers.runtime.fate import RETRY_FATES, Fate
from consumers.runtime.measures.cases import CaseMetrics
from consumers.runtime.measures.stored import WaitingMetrics
from router.telemetry.declaring import MetricDeclarations

UPKEEP = ("watch", "identity", "lag", "parked", "outbox", "forget")
"""Background work besides the loop; the values of a label."""

RETRYING = ("position", "fetch", "apply")
"""Steps that the loop retries; the values of a label."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


def transaction_limit(registry: CollectorRegistry) -> Gauge:
    """Declare the limit that the alert on open transactions compares with."""
    declare = MetricDeclarations(registry)
    return declare.gauge(
        "payrouter_open_transaction_limit_seconds",
        "How long an open transaction may withhold records before it is a problem: the"
        " open_transaction_seconds of the consumer's configuration",
        "consumer",
    )


class ConsumerMetrics:
    """The metrics of one consumer process in one registry."""

    def __init__(
        self, registry: CollectorRegistry, consumer: str, work: Sequence[str] = ()
    ) -> None:
        """Declare all metrics; `work` names the service's own background work."""
        self._consumer = consumer
        declare = MetricDeclarations(registry, ["consumer"])
        place = ["topic", "partition"]
        self.records = declare.counter(
            "payrouter_records",
            "Records passed. applied: had an effect; duplicate: known event; stale: too late to"
            " change anything; parked: held for a retry; dead: held until an operator acts;"
            " redelivered: the record was passed before",
            *place,
            "outcome",
        )
        self.rebalances = declare.counter("payrouter_rebalances", "Assignments received")
        self.fence_conflicts = declare.counter(
            "payrouter_fence_conflicts", "Batches abandoned because another process moved the fence"
        )
        self.commit_failures = declare.counter(
            "payrouter_commit_failures",
            "Offset commits to Kafka that failed; harmless, since the fence is authoritative",
        )
        self.retries = declare.counter(
            "payrouter_retries", "Batches retried after a transient failure", "reason"
        )
        for reason in RETRYING:
            self.retries.labels(consumer, reason)
        self.halted = declare.gauge(
            "payrouter_partition_halted",
            "1 if the partition is halted until an operator acts",
            *place,
            "reason",
        )
        self.assigned = declare.gauge("payrouter_assigned_partitions", "Partitions assigned now")
        self.ready = declare.gauge("payrouter_consumer_ready", "1 if assigned and making progress")
        self._declare_lag(declare, place)
        self._declare_sizes(declare)
        self._declare_held(declare, [*UPKEEP, *work])
        self.waiting = WaitingMetrics(registry)
        self.waiting.set(consumer, None)
        self.cases = CaseMetrics(registry)
        for metric in (
            *(self.rebalances, self.fence_conflicts, self.commit_failures, self.conflicts),
            *(self.assigned, self.ready, self.batch, self.transaction, self.event_age),
        ):
            metric.labels(consumer)

    def _declare_lag(self, declare: MetricDeclarations, place: list[str]) -> None:
        """Declare the lag of the assigned partitions."""
        self.lag_records = declare.gauge(
            "payrouter_lag_records",
            "Log end minus the next offset to apply; no series while either is unknown",
            *place,
        )
        self.lag_seconds = declare.gauge(
            "payrouter_lag_seconds",
            "Maximum age of the next record to apply; 0 if there is none. It grows while an open"
            " transaction withholds that record",
            *place,
        )
        self.readable_records = declare.gauge(
            "payrouter_readable_lag_records",
            "Last stable offset minus the next offset to apply: what a consumer could read now",
            *place,
        )
        self.readable_seconds = declare.gauge(
            "payrouter_readable_lag_seconds",
            "Maximum age of the next record if it can be read now; otherwise 0",
            *place,
        )
        self.withheld_records = declare.gauge(
            "payrouter_withheld_records",
            "Log end minus the last stable offset: offsets that an open transaction withholds",
            *place,
        )
        self.withheld_seconds = declare.gauge(
            "payrouter_withheld_seconds",
            "How long the last stable offset has been observed before the log end; 0 if it is at"
            " the end",
            *place,
        )
        self.progress = declare.gauge(
            "payrouter_last_progress_timestamp_seconds",
            "When records of the partition were last passed, or none was left to pass; before that,"
            " when it was assigned. Unix time",
            *place,
        )
        self.by_partition = (
            self.lag_records,
            self.lag_seconds,
            self.readable_records,
            self.readable_seconds,
            self.withheld_records,
            self.withheld_seconds,
            self.progress,
        )
        self.transaction_limit = transaction_limit(declare.registry)

    def _declare_sizes(self, declare: MetricDeclarations) -> None:
        """Declare the histograms: batch size, transaction time, event age."""
        self.batch = declare.histogram(
            "payrouter_batch_records", "Records per batch", buckets=_RECORDS
        )
        self.transaction = declare.histogram(
            "payrouter_transaction_duration_seconds",
            "Time from begin to commit of a batch's transaction",
            buckets=_SECONDS,
        )
        self.event_age = declare.histogram(
            "payrouter_event_age_seconds",
            "Time from the edge's acceptance of an event to the commit of its effect; only applied"
            " events, including those that were parked",
            buckets=_AGES,
        )

    def _declare_held(self, declare: MetricDeclarations, works: Iterable[str]) -> None:
        """Declare the counters of conflicts, retries and failed upkeep."""
        consumer = self._consumer
        self.conflicts = declare.counter(
            "payrouter_conflicts",
            "Events redelivered with contradicting content; the original remains valid",
        )
        self.parked_retries = declare.counter(
            "payrouter_parked_retries",
            "Retries of parked records, by outcome. parked: parked again",
            "outcome",
        )
        for fate in RETRY_FATES:
            self.parked_retries.labels(consumer, fate.value)
        self.upkeep_failures = declare.counter(
            "payrouter_upkeep_failures",
            "Failed rounds of background work; each is repeated",
            "work",
        )
        for work in works:
            self.upkeep_failures.labels(consumer, work)

    def start_partition(self, topic: str, partition: int) -> None:
        """Initialize all series of an assigned partition."""
        where = (self._consumer, topic, str(partition))
        for fate in Fate:
            self.records.labels(*where, fate.value)
        for reason in HaltReason:
            self.halted.labels(*where, reason.value).set(0)

    def end_partition(self, topic: str, partition: int) -> None:
        """Remove the halts of a partition that is assigned to another process now."""
        where = (self._consumer, topic, str(partition))
        for reason in HaltReason:
            self.halted.remove(*where, reason.value)
