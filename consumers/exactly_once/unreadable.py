"""Records that aiokafka cannot read: a header name that is not UTF-8, damage, an unknown codec.

FastStream would restart its loop without a pause, or pause all partitions. Here such records
are read in another way, and a partition whose next record cannot be read at all is blocked alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    KafkaError,
    UnsupportedCodecError,
)

from consumers.exactly_once.errors import DamagedRecord
from consumers.exactly_once.partitions import AssignedPartition, Partitions
from router.broker.log.reread import reread_records

_PAUSE_SECONDS = 1.0
"""Pause if no partition shows the record that could not be read."""

_POSITION_SECONDS = 1.0

GetOne = Callable[..., Awaitable[Any]]


class TolerantReading:
    """Makes the `getone` of a consumer return what only a tolerant reader can read."""

    def __init__(self, partitions: Partitions) -> None:
        """Read the records of these partitions."""
        self._partitions = partitions
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = 0

    def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Replace a consumer's `getone` and `stop`; a second call with the same changes nothing."""
        if self._consumer is not consumer:
            self._consumer = consumer
            consumer.getone = self._tolerant(consumer.getone)
            consumer.stop = self._after_placing(consumer.stop)

    def _after_placing(self, stop: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Return a `stop` that first ends what would open a connection again."""

        async def stopping() -> None:
            await self._partitions.end()
            await stop()

        return stopping

    def _tolerant(self, getone: GetOne) -> GetOne:
        async def tolerant(*partitions: object) -> Any:  # noqa: ANN401 - aiokafka's record
            try:
                return await getone(*partitions)
            except (CorruptRecordException, UnsupportedCodecError):
                return await self._reread()
            except (KafkaError, ConsumerStoppedError):
                raise
            except Exception:  # noqa: BLE001 - a damaged record may raise anything
                return await self._reread()

        return tolerant

    async def _reread(self) -> Any:  # noqa: ANN401 - aiokafka's record, or None
        """Return the next record of any partition, which need not be the one that failed."""
        for state in self._in_turn():
            record = await self._next_of(state)
            if record is not None:
                return record
        await asyncio.sleep(_PAUSE_SECONDS)
        return None

    def _in_turn(self) -> list[AssignedPartition]:
        placed = self._partitions.placed
        self._turn += 1
        first = self._turn % max(1, len(placed))
        return placed[first:] + placed[:first]

    async def _next_of(self, state: AssignedPartition) -> Any:  # noqa: ANN401 - as above
        consumer = self._partitions.consumer
        try:
            async with asyncio.timeout(_POSITION_SECONDS):
                offset = await consumer.position(state.at)
            seen = await reread_records(consumer, state.at, offset, 1)
            if seen.records:
                consumer.seek(state.at, seen.records[0].offset + 1)
                return seen.records[0]
        except (KafkaError, TimeoutError):
            # The broker is away, or the partition was revoked.
            return None
        if seen.problem is not None:
            error = DamagedRecord(state.partition, seen.next_offset, seen.problem)
            self._partitions.block(state, error, seen.next_offset)
        return None
