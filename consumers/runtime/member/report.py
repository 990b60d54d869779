"""What a consumer says about itself: metrics and the one log line per batch."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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
from router.telemetry.logs import Log


class Report:
    """Records what the loop does, so that the loop reads as what it does."""

    def __init__(
        self,
        consumer: str,
        metrics: ConsumerMetrics,
        log: Log,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Remember where to write."""
        self._consumer = consumer
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self.lag = Lag(consumer, metrics)

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Say which partitions came."""
        names = sorted(map(str, partitions))
        self._metrics.rebalances.labels(self._consumer).inc()
        self._metrics.assigned.labels(self._consumer).set(len(names))
        for partition in partitions:
            self._metrics.start_partition(partition.topic, partition.number)
            self.lag.begin(partition)
        self._log.info("partitions_assigned", partitions=names)

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """Say which partitions went."""
        for partition in partitions:
            self._metrics.end_partition(partition.topic, partition.number)
            self.lag.end(partition)
        self._metrics.assigned.labels(self._consumer).set(0)

    def positioned(self, partition: Partition, offset: int) -> None:
        """Say where reading goes on."""
        self._log.debug("partition_positioned", partition=str(partition), offset=offset)

    def batch(self, applied: BatchResult, records: int, seconds: float) -> None:
        """Write the one line about a batch."""
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
        )

    def _effects_of(self, received: Iterable[datetime]) -> None:
        """Say how old events were when their effect was there."""
        ages, now = self._metrics.event_age.labels(self._consumer), self._clock()
        for moment in received:
            # The edge's clock is another, and may be ahead.
            ages.observe(max(0.0, now - moment.timestamp()))

    def retrying(self, what: str, error: BaseException, attempt: int) -> None:
        """Say what is tried again, and why."""
        self._metrics.retries.labels(self._consumer, what).inc()
        self._log.warning("retrying", reason=what, error=describe(error), attempt=attempt)

    def halted(self, halt: Halt) -> None:
        """Say what stands still until a person acts."""
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
        """Say that a person acted, and a halted partition goes on."""
        partition = halt.partition
        where = (self._consumer, partition.topic, str(partition.number), halt.reason.value)
        self._metrics.halted.labels(*where).set(0)
        self._log.info("partition_goes_on", partition=str(partition))

    def withheld(self, found: Withheld, seconds: float, mend: str) -> None:
        """Say that somebody's open transaction has kept records from us for too long."""
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
        """Say that it has ended."""
        self._log.info("open_transaction_ended", partition=str(partition))

    def brake_pulled(self, brake: Brake) -> None:
        """Say that nothing of a topic is applied until a person acts."""
        self.set_brakes({brake.topic: brake})
        mend = release_command(self._consumer, [brake.topic])
        self._log.error("brake_holds", topic=brake.topic, detail=str(brake), mend=mend)

    def brake_cleared(self, topic: str) -> None:
        """Say that the brake of a topic was cleared."""
        self.set_brakes({topic: Brake(topic)})
        self._log.info("brake_cleared", topic=topic)

    def set_brakes(self, brakes: Mapping[str, Brake]) -> None:
        """Keep the metric right, which is read from the store less often too."""
        self._metrics.waiting.set_brakes(self._consumer, brakes)

    def unfetchable(self, found: RecordUnfetchable) -> None:
        """Say that a record cannot even be read."""
        self._log.error("record_unfetchable", partition=str(found.partition), offset=found.offset)

    def retried(self, tried: RetryResult) -> None:
        """Say what a try of a parked record came to."""
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
        """Say that a round of the work beside the loop failed."""
        self._metrics.upkeep_failures.labels(self._consumer, what).inc()
        self._log.warning("upkeep_failed", work=what, error=describe(error))

    def log_changed(self, partition: Partition) -> None:
        """Write that a topic may be another one than before; its partition is placed again."""
        self._log.warning("log_doubted", partition=str(partition))

    def paused(self) -> None:
        """Write that the loop stood still: all partitions are placed again."""
        self._log.info("loop_paused", detail="frozen or busy; the logs are compared again")

    def fence_moved(self, partition: Partition) -> None:
        """Say that another process moved the fence."""
        self._metrics.fence_conflicts.labels(self._consumer).inc()
        self._log.warning("fence_moved", partition=str(partition))

    def batch_given_up(self) -> None:
        """Say that a waiting batch was left to the next owner."""
        self._log.info("batch_given_up", detail="revoked or stopping")

    def commit_failed(self, error: BaseException) -> None:
        """Say that Kafka was not told how far we are."""
        self._metrics.commit_failures.labels(self._consumer).inc()
        self._log.warning("offset_commit_failed", error=type(error).__name__)
