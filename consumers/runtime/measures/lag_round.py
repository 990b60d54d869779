"""Looks where the logs of the assigned partitions end, and how far they can be read."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.measures.first_record import FirstRecords
from consumers.runtime.measures.lag import Lag, Look
from consumers.runtime.measures.withheld import Withheld, Withholding
from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.log.transactions import OpenTransaction, open_transaction

ANSWER_SECONDS = 5.0
"""How long the broker may take for one answer."""


class Fences(Protocol):
    """Knows where each assigned partition stands."""

    @property
    def fences(self) -> Mapping[Partition, Fence]:
        """The fences of now, as far as they are known."""


class Told(Protocol):
    """What is told of open transactions."""

    def withheld(self, found: Withheld, seconds: float, mend: str) -> None:
        """Note that one has lasted too long; `mend` is the command that ends it."""

    def withholding_ended(self, partition: Partition) -> None:
        """Note that it has ended."""


@dataclass
class LagRound:
    """One look after the other.

    Three requests to each leader a round, and one more for a partition whose
    fence has not moved since the last round though something is behind it.
    """

    consumer: AIOKafkaConsumer
    positions: Fences
    lag: Lag
    withholding: Withholding
    told: Told
    first: FirstRecords = field(default_factory=lambda: FirstRecords(ANSWER_SECONDS))
    _stood: dict[Partition, int] = field(default_factory=dict)
    _lasting: set[tuple[Partition, int]] = field(default_factory=set)

    async def __call__(self) -> bool:
        """Look once. Raises KafkaError, TimeoutError or OSError where nothing is answered."""
        fences = dict(self.positions.fences)
        if fences:
            bounds = await bounds_of(self.consumer, fences)
            looks = await self._looks(fences, bounds)
            self.withholding.keep(self.positions.fences)
            self.withholding.see(bounds)
            await self._tell()
            # The loop may have gone on meanwhile, or lost some.
            now = self.positions.fences
            self._measure(now, {p: seen for p, seen in looks.items() if p in now})
        else:
            self.withholding.keep(())
        self._lasting = {place for place in self._lasting if place[0] in fences}
        return False

    async def _looks(
        self, fences: Mapping[Partition, Fence], bounds: Mapping[Partition, LogBounds]
    ) -> Mapping[Partition, Look]:
        self.first.turn()
        stood, self._stood = self._stood, {p: fence.next_offset for p, fence in fences.items()}
        looks = {}
        for partition, seen in bounds.items():
            at = fences[partition].next_offset
            since = None
            if stood.get(partition) == at and at < seen.end:
                since = await self.first.readable(self.consumer, (partition, at), seen.stable)
            looks[partition] = Look(at, seen.stable, seen.end, since)
        return looks

    def _measure(self, fences: Mapping[Partition, Fence], looks: Mapping[Partition, Look]) -> None:
        self.lag.look(fences, looks)
        for partition, seen in looks.items():
            seconds = self.withholding.seconds(partition)
            self.lag.withheld(partition, max(0, seen.end - seen.stable), seconds)

    async def _tell(self) -> None:
        """Say once what has begun to last too long, and what has ended."""
        for each in self.withholding.troubles():
            if each.transaction is None:
                self.withholding.belongs_to(each, await self._whose(each))
        lasting = {(each.partition, each.offset): each for each in self.withholding.troubles()}
        for partition, _ in sorted(self._lasting - lasting.keys()):
            self.told.withholding_ended(partition)
        for place in sorted(lasting.keys() - self._lasting):
            found = lasting[place]
            seconds = self.withholding.seconds(found.partition)
            self.told.withheld(found, seconds, self.withholding.command(found))
        self._lasting = set(lasting)

    async def _whose(self, found: Withheld) -> OpenTransaction | None:
        """Find out whose the transaction is, where the broker says."""
        tp = TopicPartition(*found.partition)
        try:
            return await open_transaction(self.consumer, tp, found.offset, ANSWER_SECONDS)
        except (KafkaError, NotImplementedError, OSError, TimeoutError):
            # Who it is helps; that it is there is known without.
            return None


async def bounds_of(
    consumer: AIOKafkaConsumer, partitions: Collection[Partition]
) -> Mapping[Partition, LogBounds]:
    """Ask where logs begin and end; what is not answered for is left out."""
    theirs = [TopicPartition(*partition) for partition in partitions]
    async with asyncio.timeout(2 * ANSWER_SECONDS):
        found = await log_bounds(consumer, theirs, ANSWER_SECONDS)
    return {Partition(tp.topic, tp.partition): bounds for tp, bounds in found.items()}
