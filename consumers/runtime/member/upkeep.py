"""Background work of a consumer process: watch, measure, retry, publish, delete expired rows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from aiokafka import AIOKafkaConsumer

from consumers.runtime.apply.brake import holding
from consumers.runtime.apply.failures import back_off
from consumers.runtime.apply.memory import delete_expired
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.retry import retry_due
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.measures.lag_round import LagRound
from consumers.runtime.measures.withheld import Withholding
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.relay import Relay, relay_producer
from consumers.runtime.member.report import OUTBOX, Report
from consumers.runtime.service import Work
from consumers.runtime.settings import ConsumerSettings
from router.broker.topics.ids import describe

PAUSE_SECONDS = 1.0
"""Pause between two checks of parked records, of the outbox, or of brakes and fences."""

IDENTITY_SECONDS = 10.0
"""Pause between two checks that topics were not recreated."""

SEND_SECONDS = 10.0
"""Upper limit on how long the broker may take for a batch of the outbox."""


@dataclass(frozen=True)
class Upkeep:
    """Background work of one loop. Each task keeps running if another fails."""

    applier: Applier
    stored: StoredBooks
    settings: ConsumerSettings
    work: Sequence[Work]
    loop: Loop
    report: Report
    consumer: AIOKafkaConsumer
    withholding: Withholding

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the tasks until the block ends."""
        # The relay's transaction is open while sending, and its idle time is limited.
        seconds = min(SEND_SECONDS, self.settings.tuning.transaction_timeout_seconds / 2)
        make = partial(relay_producer, self.settings.kafka)
        relay = Relay(self.stored, make, seconds)
        positions, report, timing = self.loop.positions, self.report, self.settings.timing
        lag = LagRound(self.consumer, positions, report.lag, self.withholding, report)
        rounds: dict[str, tuple[Callable[[], Awaitable[bool]], float]] = {
            "watch": (self.watch, PAUSE_SECONDS),
            "identity": (self.identity, IDENTITY_SECONDS),
            "lag": (lag, timing.lag_seconds),
            "parked": (self.retry, PAUSE_SECONDS),
            OUTBOX: (partial(self.publish, relay), PAUSE_SECONDS),
            "forget": (self.forget, timing.forget_seconds),
        }
        for work in self.work:
            rounds[work.name] = (partial(work.run, self.stored.engine), work.every_seconds)
        tasks = [
            asyncio.create_task(self._repeat(what, work, pause))
            for what, (work, pause) in rounds.items()
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await relay.stop()

    async def watch(self) -> bool:
        """Pass the stored brakes and fences to the loop."""
        known, placed = self.loop.member.brakes, self.loop.positions.placed
        before = {partition: place.fence.next_offset for partition, place in placed.items()}
        async with self.stored.transaction() as books:
            brakes = await books.brakes()
            fences = await books.fences()
        # A batch that pulled a brake in the meantime knows better: this read may be older.
        if self.loop.member.brakes == known:
            self.loop.update_brakes(holding(brakes))
            self.report.set_brakes(brakes)
        self.loop.compare_fences(before, fences)
        return False

    async def identity(self) -> bool:
        """Pass current topic metadata to the loop, which detects recreated topics."""
        topics = {partition.topic for partition in self.loop.positions.placed}
        self.loop.compare_topics(await describe(self.consumer, topics, IDENTITY_SECONDS))
        return False

    async def retry(self) -> bool:
        """Retry parked records that are due; return whether there may be more."""
        done = await retry_due(self.applier, self.stored, self.settings.tuning)
        for each in done.tries:
            self.report.retried(each)
        if done.failure is not None:
            raise done.failure
        return bool(done.tries)

    async def publish(self, relay: Relay) -> bool:
        """Publish records of the outbox; return whether there may be more."""
        return bool(await relay.send_waiting())

    async def forget(self) -> bool:
        """Delete a chunk of expired rows; return whether there may be more."""
        tuning, stored = self.settings.tuning, self.stored
        deleted = await delete_expired(stored.engine, stored.tables, tuning.remember_days)
        await asyncio.sleep(self.settings.timing.forget_pause_seconds)
        return bool(deleted)

    async def _repeat(self, what: str, work: Callable[[], Awaitable[bool]], pause: float) -> None:
        failed = 0
        while True:
            try:
                more = await work()
                failed = 0
            except Exception as error:  # noqa: BLE001 - no task may end while the process runs
                failed, more = failed + 1, False
                self.report.upkeep_failed(what, error)
            if not more:
                longest = self.settings.tuning.retry_longest_seconds
                await asyncio.sleep(
                    pause if not failed else max(PAUSE_SECONDS, back_off(failed, longest))
                )
