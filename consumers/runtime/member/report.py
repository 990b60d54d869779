"""Metrics and log lines of a consumer: one line per batch, and one per incident."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from consumers.runtime.apply.brake import Brake, release_command
from consumers.runtime.apply.failures import describe
from consumers.runtime.apply.held import HeldReason
from consumers.runtime.apply.process import BatchResult
from consumers.runtime.apply.retry import RetryResult
from consumers.runtime.measures.lag import Lag
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.measures.withheld import Withheld
from consumers.runtime.member.client import RecordUnfetchable
from consumers.runtime.member.halts import Halt, remedy
from consumers.runtime.records import Partition
from router.broker.adapter.bootstrap import cause_of, is_denial
from router.broker.rights import KafkaOperation, Right
from router.telemetry.logs import Log

OUTBOX = "outbox"
"""The background work that publishes."""


class Report:
    """Writes metrics and log lines for the loop, which keeps them out of its code."""

    def __init__(
        self,
        consumer: str,
        metrics: ConsumerMetrics,
        log: Log,
        clock: Callable[[], float] = time.time,
        rights: Sequence[Right] = (),
    ) -> None:
        """Write to `metrics` and `log`; `clock` returns Unix time in seconds.

        `rights` are those that the process needs on the broker.
        """
        self._consumer = consumer
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._rights = rights
        self.lag = Lag(consumer, metrics)

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Report an assignment."""
        names = sorted(map(str, partitions))
        self._metrics.rebalances.labels(self._consumer).inc()
        self._metrics.assigned.labels(self._consumer).set(len(names))
        for partition in partitions:
            self._metrics.start_partition(partition.topic, partition.number)
            self.lag.begin(partition)
        self._log.info("partitions_assigned", partitions=names)

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """Report a revocation."""
        for partition in partitions:
            self._metrics.end_partition(partition.topic, partition.number)
            self.lag.end(partition)
        self._metrics.assigned.labels(self._consumer).set(0)

    def positioned(self, partition: Partition, offset: int) -> None:
        """Report the offset at which reading continues."""
        self._log.debug("partition_positioned", partition=str(partition), offset=offset)

    def batch(self, applied: BatchResult, records: int, seconds: float) -> None:
        """Report a batch, with its only log line."""
        fates: Counter[str] = Counter()
        for (partition, fate), count in applied.outcomes.items():
            where = (self._consumer, partition.topic, str(partition.number), fate.value)
            self._metrics.records.labels(*where).inc(count)
            fates[fate.value] += count
        self._metrics.conflicts.labels(self._consumer).inc(applied.conflicts)
        self._effects_of(applied.received)
        self._metrics.batch.labels(self._consumer).observe(records)
        self._metrics.transaction.labels(self._consumer).observe(seconds)
        self._log.info(
            "batch",
            records=records,
            **fates,
            partition_count=len(applied.fences),
            milliseconds=round(seconds * 1000, 1),
            plain=applied.plain,
        )

    def _effects_of(self, received: Iterable[datetime]) -> None:
        """Observe the age of events at the time of their effect."""
        ages, now = self._metrics.event_age.labels(self._consumer), self._clock()
        for moment in received:
            # The edge has a different clock, which may be ahead.
            ages.observe(max(0.0, now - moment.timestamp()))

    def retrying(self, what: str, error: BaseException, attempt: int) -> None:
        """Report a retry and its reason."""
        self._metrics.retries.labels(self._consumer, what).inc()
        problem = explained(error, self._rights)
        self._log.warning("retrying", reason=what, error=problem, attempt=attempt)

    def halted(self, halt: Halt) -> None:
        """Report a partition that is halted until an operator acts."""
        partition = halt.partition
        where = (self._consumer, partition.topic, str(partition.number), halt.reason.value)
        self._metrics.halted.labels(*where).set(1)
        self._log.error(
            "partition_halted",
            partition=str(partition),
            reason=halt.reason.value,
            detail=halt.detail,
            mend=remedy(halt, self._consumer),
        )

    def halt_ended(self, halt: Halt) -> None:
        """Report that a halted partition resumes, after an operator acted."""
        partition = halt.partition
        where = (self._consumer, partition.topic, str(partition.number), halt.reason.value)
        self._metrics.halted.labels(*where).set(0)
        self._log.info("partition_resumed", partition=str(partition))

    def withheld(self, found: Withheld, seconds: float, mend: str) -> None:
        """Report a producer's open transaction that has withheld records for too long."""
        self._log.error(
            "open_transaction",
            partition=str(found.partition),
            offset=found.offset,
            records=found.records,
            seconds=round(seconds),
            producer=None if found.transaction is None else str(found.transaction),
            mend=mend,
        )

    def withholding_ended(self, partition: Partition) -> None:
        """Report that an open transaction no longer withholds records."""
        self._log.info("open_transaction_ended", partition=str(partition))

    def brake_pulled(self, brake: Brake) -> None:
        """Report a brake: no record of the topic is applied until an operator acts."""
        self.set_brakes({brake.topic: brake})
        mend = release_command(self._consumer, [brake.topic])
        self._log.error("brake_holds", topic=brake.topic, detail=str(brake), mend=mend)

    def brake_cleared(self, topic: str) -> None:
        """Report that the brake of a topic was cleared."""
        self.set_brakes({topic: Brake(topic)})
        self._log.info("brake_cleared", topic=topic)

    def set_brakes(self, brakes: Mapping[str, Brake]) -> None:
        """Update the metric of brakes at once; it is also read from the store, less often."""
        self._metrics.waiting.set_brakes(self._consumer, brakes)

    def unfetchable(self, found: RecordUnfetchable) -> None:
        """Report a record that cannot be fetched."""
        self._log.error("record_unfetchable", partition=str(found.partition), offset=found.offset)

    def retried(self, tried: RetryResult) -> None:
        """Report the result of retrying a parked record."""
        self._metrics.parked_retries.labels(self._consumer, tried.fate.value).inc()
        if tried.reason is HeldReason.CONFLICT:
            self._metrics.conflicts.labels(self._consumer).inc()
        self._effects_of([tried.received] if tried.received else [])
        self._log.info(
            "parked_record_tried",
            partition=str(tried.partition),
            offset=tried.offset,
            outcome=tried.fate.value,
            error=tried.error,
        )

    def upkeep_failed(self, what: str, error: BaseException) -> None:
        """Report that a round of background work failed."""
        self._metrics.upkeep_failures.labels(self._consumer, what).inc()
        problem = explained(error, self._rights, writing=what == OUTBOX)
        self._log.warning("upkeep_failed", work=what, error=problem)

    def log_may_have_changed(self, partition: Partition) -> None:
        """Report that a log may have been replaced; its partition is placed again."""
        self._log.warning("log_may_have_changed", partition=str(partition))

    def paused(self) -> None:
        """Report that the loop paused for too long; all partitions are placed again."""
        self._log.info("loop_paused", detail="process was frozen or busy; comparing all logs again")

    def fence_moved(self, partition: Partition) -> None:
        """Report that another process moved the fence."""
        self._metrics.fence_conflicts.labels(self._consumer).inc()
        self._log.warning("fence_moved", partition=str(partition))

    def batch_given_up(self) -> None:
        """Report that a waiting batch was left to the partition's next owner."""
        self._log.info("batch_given_up", detail="revoked or stopping")

    def commit_failed(self, error: BaseException) -> None:
        """Report that an offset commit to Kafka failed."""
        self._metrics.commit_failures.labels(self._consumer).inc()
        denied = is_denial(error)
        problem = explained(error, self._rights) if denied else type(error).__name__
        self._log.warning("offset_commit_failed", error=problem)


def explained(error: BaseException, rights: Sequence[Right], *, writing: bool = False) -> str:
    """Describe an error; if a right is missing, name it and the command that grants it."""
    if not is_denial(error):
        return describe(error)
    needed = [each for each in rights if (each.operation is KafkaOperation.WRITE) is writing]
    return cause_of(error, needed)
