"""Reads the ends and the last stable offsets of the assigned partitions' logs, in rounds."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.measures.first_record import FirstRecords
from consumers.runtime.measures.lag import Lag, LagReading
from consumers.runtime.measures.withheld import Withheld, Withholding
from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.log.transactions import OpenTransaction, open_transaction

ANSWER_SECONDS = 5.0
"""Time-out for one answer of the broker."""


class FenceSource(Protocol):
    """Has the fence of each assigned partition."""

    @property
    def fences(self) -> Mapping[Partition, Fence]:
        """The current fences, as far as they are known."""


class TransactionObserver(Protocol):
    """Is notified of long open transactions."""

    def withheld(self, found: Withheld, seconds: float, command: str, /) -> None:
        """Report that a transaction has lasted too long; `command` aborts it."""

    def withholding_ended(self, partition: Partition) -> None:
        """Report that it has ended."""


@dataclass
class LagRound:
    """Measures the lag of the assigned partitions, one round per call.

    A round sends three requests to each leader, and one more for each partition that has
    lag and whose fence has not moved since the last round.
    """

    consumer: AIOKafkaConsumer
    positions: FenceSource
    lag: Lag
    withholding: Withholding
    observer: TransactionObserver
    first: FirstRecords = field(default_factory=lambda: FirstRecords(ANSWER_SECONDS))
    _last: dict[Partition, int] = field(default_factory=dict)
    """Next offsets of the last round."""
    _lasting: set[tuple[Partition, int]] = field(default_factory=set)

    async def __call__(self) -> bool:
        """Run one round. Raises KafkaError, TimeoutError or OSError if the broker is away."""
        fences = dict(self.positions.fences)
        if fences:
            bounds = await bounds_of(self.consumer, fences)
            readings = await self._readings(fences, bounds)
            self.withholding.keep(self.positions.fences)
            self.withholding.see(bounds)
            await self._notify()
            # By now the loop may have moved fences or lost partitions.
            now = self.positions.fences
            self._measure(now, {p: seen for p, seen in readings.items() if p in now})
        else:
            self.withholding.keep(())
        self._lasting = {place for place in self._lasting if place[0] in fences}
        return False

    async def _readings(
        self, fences: Mapping[Partition, Fence], bounds: Mapping[Partition, LogBounds]
    ) -> Mapping[Partition, LagReading]:
        self.first.begin_round()
        last, self._last = self._last, {p: fence.next_offset for p, fence in fences.items()}
        readings = {}
        for partition, seen in bounds.items():
            at = fences[partition].next_offset
            since = None
            if last.get(partition) == at and at < seen.end:
                since = await self.first.readable(self.consumer, (partition, at), seen.stable)
            readings[partition] = LagReading(at, seen.stable, seen.end, since)
        return readings

    def _measure(
        self, fences: Mapping[Partition, Fence], readings: Mapping[Partition, LagReading]
    ) -> None:
        self.lag.take_readings(fences, readings)
        for partition, seen in readings.items():
            seconds = self.withholding.seconds(partition)
            self.lag.withheld(partition, max(0, seen.end - seen.stable), seconds)

    async def _notify(self) -> None:
        """Report each transaction once when it becomes too long, and once when it ends."""
        for each in self.withholding.troubles():
            if each.transaction is None:
                self.withholding.set_transaction(each, await self._transaction(each))
        lasting = {(each.partition, each.offset): each for each in self.withholding.troubles()}
        for partition, _ in sorted(self._lasting - lasting.keys()):
            self.observer.withholding_ended(partition)
        for place in sorted(lasting.keys() - self._lasting):
            found = lasting[place]
            seconds = self.withholding.seconds(found.partition)
            self.observer.withheld(found, seconds, self.withholding.command(found))
        self._lasting = set(lasting)

    async def _transaction(self, found: Withheld) -> OpenTransaction | None:
        """Find the producer of a transaction, if the broker reports it."""
        tp = TopicPartition(*found.partition)
        try:
            return await open_transaction(self.consumer, tp, found.offset, ANSWER_SECONDS)
        except (KafkaError, NotImplementedError, OSError, TimeoutError):
            # Only helpful: the transaction is reported without its producer too.
            return None


async def bounds_of(
    consumer: AIOKafkaConsumer, partitions: Collection[Partition]
) -> Mapping[Partition, LogBounds]:
    """Read the bounds of logs; leave out partitions without an answer."""
    topic_partitions = [TopicPartition(*partition) for partition in partitions]
    async with asyncio.timeout(2 * ANSWER_SECONDS):
        found = await log_bounds(consumer, topic_partitions, ANSWER_SECONDS)
    return {Partition(tp.topic, tp.partition): bounds for tp, bounds in found.items()}
