"""Loop of a consumer: place, fetch, read, apply and commit, until stopped."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.failures import Action, Phase, back_off, decide, describe
from consumers.runtime.apply.held import HoldDecision
from consumers.runtime.apply.hold_decision import hold_decision
from consumers.runtime.apply.offsets import Fence, FenceMoved, fence_was_set
from consumers.runtime.apply.process import Applier
from consumers.runtime.member.client import Client, PositionsLost, RecordUnfetchable
from consumers.runtime.member.membership import Membership
from consumers.runtime.member.partition import FenceAdvanced, FenceSeen, FenceSet
from consumers.runtime.member.placing import Placing
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.reading import Batch, Reading
from consumers.runtime.member.report import Report
from consumers.runtime.records import Arrived, Partition
from consumers.runtime.settings import ConsumerTiming, Tuning
from router.broker.topics.ids import TopicSeen


class BatchAbandoned(Exception):  # noqa: N818 - reads as what happened
    """A batch waiting for a retry was abandoned: its partitions were revoked, or a stop began."""


@dataclass
class Loop:
    """Drives one group member. Everything except the two callbacks runs in one task.

    A partition is read only while it is placed. Code that drops fetched records
    also unplaces their partition, so that reading continues at the fence.
    """

    applier: Applier
    tuning: Tuning
    report: Report
    timing: ConsumerTiming = field(default_factory=ConsumerTiming)
    positions: Positions = field(default_factory=Positions)
    member: Membership = field(default_factory=Membership)

    def stop(self) -> None:
        """Make `run` return after the running batch."""
        self.member = replace(self.member, stopping=True)

    # -- what the group and the upkeep report --------------------------------

    def on_assigned(self, partitions: set[Partition]) -> None:
        """Record an assignment and return at once."""
        self.positions.assign(partitions)
        self.member = self.member.assigned()
        self.report.assigned(partitions)

    async def on_revoked(self) -> None:
        """Wait until the running batch is finished or abandoned, within the rebalance time-out."""
        self.member = replace(self.member, revoking=True)
        batch = self.member.batch_ended
        limit = self.tuning.rebalance_timeout_seconds * 0.8
        try:
            if batch is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(limit):
                        await batch.wait()
        finally:
            # A batch still running then sees no placed partitions; the fence guards its effects.
            self.forget()

    def forget(self) -> None:
        """Drop the assignment: it was revoked, or its client was closed."""
        revoked = self.positions.assigned
        self.member = self.member.revoked()
        self.positions.revoke()
        self.report.revoked(revoked)

    def update_brakes(self, brakes: Mapping[str, Brake]) -> None:
        """Skip topics whose brake holds; `brakes` are keyed by topic name on the broker."""
        before = self.member.brakes
        for topic in sorted(brakes.keys() - before.keys()):
            self.report.brake_pulled(brakes[topic])
        for topic in sorted(before.keys() - brakes.keys()):
            self.report.brake_cleared(topic)
        self.member = replace(self.member, brakes=brakes)

    def compare_fences(
        self, before: Mapping[Partition, int], fences: Mapping[Partition, Fence]
    ) -> None:
        """Detect fences set by a command: below a placed partition, or of a halted one.

        `before` are the fences of placed partitions from before `fences` was read, so
        that a move by the loop in between is not mistaken for a command.
        """
        for partition, known in before.items():
            fence = fences.get(partition)
            if partition in self.positions.placed and (fence is None or fence.next_offset < known):
                self.report.fence_moved(partition)
                self.positions.drop([partition])
        # A partition that halted while the fences were read may itself have moved its fence.
        for partition, halted in self.positions.halted.items():
            if partition in before:
                continue
            fence = fences.get(partition)
            if fence_was_set(halted.fence, fence):
                self.report.halt_ended(halted.halt)
                self.positions.send(partition, FenceSet())
            else:
                self.positions.send(partition, FenceSeen(fence))

    def compare_topics(self, topics: Mapping[str, TopicSeen]) -> None:
        """Place partitions again if their log may have been replaced; placing finds out."""
        for partition, place in self.positions.placed.items():
            topic = topics.get(partition.topic)
            if topic is not None and not place.is_of(topic):
                self.report.log_may_have_changed(partition)
                self.positions.drop([partition])

    # -- turns ---------------------------------------------------------------

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Consume until `stop`. Raises KafkaError if a new client is needed."""
        in_time_order = self.applier.service.in_time_order
        client = Client(consumer, self.tuning, self.timing, in_time_order=in_time_order)
        placing = Placing(self.applier, self.tuning, self.report, self.positions)
        reading = Reading(self.applier, self.tuning, self.report, self.positions)
        while not self.member.stopping:
            self.member = self.member.ticking()
            try:
                await self._place(client, placing)
                await self._turn(client, reading)
            except BatchAbandoned:
                self.report.batch_given_up()
            except IllegalStateError:
                # The assignment changed between two calls of the client.
                self.positions.drop(self.positions.placed)
                await asyncio.sleep(self.timing.idle_seconds)

    async def _place(self, client: Client, placing: Placing) -> None:
        if self.member.revoking:
            return
        if self.positions.unpositioned:
            # Placing some partitions must not count as an answer about the placed ones.
            self._unplace_after_pause()
        if await placing.place(client):
            self.member = self.member.answered()
        if not self.positions.placed:
            # As long as something is read, fetches show whether the client still works.
            client.require_answers()

    def _unplace_after_pause(self) -> bool:
        """Unplace all partitions if the loop paused for long; return whether it did."""
        if not (self.positions.placed and self.member.was_paused(self.timing.paused_seconds)):
            return False
        # Frozen or busy for long: the logs may have been replaced.
        self.report.paused()
        self.member = self.member.paused()
        self.positions.drop(self.positions.placed)
        return True

    async def _turn(self, client: Client, reading: Reading) -> None:
        readable = self._readable()
        batch = await self._batch(client, reading, readable)
        partitions = {arrived.record.partition for arrived in batch.arrived}
        try:
            if batch.arrived and not self.member.revoking:
                await self._finish_or_drop(client, batch.arrived, partitions)
                await self._commit(client, partitions)
            else:
                self.positions.drop(partitions)
        finally:
            self.positions.drop(batch.cut)
        if not self.member.revoking:
            placed = self.positions.placed
            fences = {each: placed[each].fence for each in readable if each in placed}
            ends = client.ends(fences)
            self.positions.catch_up(ends)
            self.report.lag.progress(partitions, fences, ends)

    def _readable(self) -> Sequence[Partition]:
        """Return the placed partitions, except of topics whose brake holds."""
        placed, brakes = self.positions.placed, self.member.brakes
        return sorted(each for each in placed if each.topic not in brakes)

    async def _batch(
        self, client: Client, reading: Reading, readable: Sequence[Partition]
    ) -> Batch:
        try:
            fetched = await self._fetch(client, readable)
            batch = await reading.read(client, fetched)
            others = [each for each in readable if each not in fetched]
            await reading.pass_trailing_gaps(
                client, [each for each in others if not client.is_ahead(each)]
            )
        except RecordUnfetchable as found:
            return await reading.unfetchable(client, found)
        return batch

    async def _fetch(
        self, client: Client, readable: Collection[Partition]
    ) -> Mapping[Partition, Sequence[Any]]:
        if not readable or self.member.revoking:
            await client.hold()
            await asyncio.sleep(self.timing.idle_seconds)
            return {}
        client.resume(readable)
        try:
            fetched = await client.fetch(readable)
        except PositionsLost as error:
            # After a rebalance during the fetch nothing is placed, and the error is irrelevant.
            if self.positions.placed:
                tries = max(map(self.positions.tries, readable)) + 1
                self.report.retrying(Phase.FETCH, error, tries)
                self._delay(readable, error)
            return {}
        if self._unplace_after_pause():
            return {}
        self.member = self.member.fetched()
        # Records of partitions revoked during the fetch belong to another member.
        placed = self.positions.placed
        return {partition: fetched[partition] for partition in fetched if partition in placed}

    # -- one batch -----------------------------------------------------------

    async def _finish_or_drop(
        self, client: Client, batch: Sequence[Arrived], partitions: set[Partition]
    ) -> None:
        ended = asyncio.Event()
        self.member = replace(self.member, batch_ended=ended)
        try:
            await self._apply(client, batch)
        except BaseException:
            self.positions.drop(partitions)
            raise
        finally:
            self.member = replace(self.member, batch_ended=None, retrying=None)
            ended.set()

    async def _apply(
        self, client: Client, batch: Sequence[Arrived], decision: HoldDecision | None = None
    ) -> None:
        """Apply a batch, with retries; split it to find a record that cannot be applied."""
        attempt = 0
        phase = Phase.APPLY if decision is None else Phase.HOLD
        while own := [d for d in batch if d.record.partition in self.positions.placed]:
            self.member = self.member.ticking()
            try:
                await self._apply_once(own, decision)
            except Exception as error:  # noqa: BLE001 - `decide` covers all errors
                attempt += 1
                action = decide(error, phase, attempt, len(own))
                if action is Action.RETRY:
                    await self._wait_before_retry(client, error, attempt)
                    continue
                await self._recover(client, own, error, action, decision)
            return

    async def _apply_once(self, batch: Sequence[Arrived], decision: HoldDecision | None) -> None:
        placed = self.positions.placed
        partitions = {arrived.record.partition for arrived in batch}
        expected = {partition: placed[partition].fence for partition in partitions}
        started = time.perf_counter()
        applied = await self.applier.apply(batch, expected, decision)
        for partition, fence in applied.fences.items():
            self.positions.send(partition, FenceAdvanced(fence))
        self.positions.drop(applied.cut)
        self.update_brakes({**self.member.brakes, **applied.brakes})
        self.report.batch(applied, len(batch), time.perf_counter() - started)

    async def _recover(
        self,
        client: Client,
        batch: Sequence[Arrived],
        error: Exception,
        action: Action,
        decision: HoldDecision | None,
    ) -> None:
        if action is Action.REPOSITION:
            if isinstance(error, FenceMoved):
                self.report.fence_moved(error.partition)
            self.positions.drop({arrived.record.partition for arrived in batch})
        elif action is Action.SPLIT:
            half = len(batch) // 2
            await self._apply(client, batch[:half], decision)
            await self._apply(client, batch[half:], decision)
        elif action is Action.WAIT:
            await self._delay_failing_partitions(client, batch, error, decision)
        else:
            await self._apply(client, batch, hold_decision(error, action, self.tuning))

    async def _delay_failing_partitions(
        self,
        client: Client,
        batch: Sequence[Arrived],
        error: Exception,
        decision: HoldDecision | None,
    ) -> None:
        """Delay a partition that failed alone; apply those of a mixed batch one at a time."""
        partitions = sorted({arrived.record.partition for arrived in batch})
        if len(partitions) == 1:
            self.report.retrying(Phase.APPLY, error, self.positions.tries(partitions[0]) + 1)
            self._delay(partitions, error)
            return
        for partition in partitions:
            own = [arrived for arrived in batch if arrived.record.partition == partition]
            await self._apply(client, own, decision)

    # -- waiting -------------------------------------------------------------

    async def _wait_before_retry(self, client: Client, error: Exception, attempt: int) -> None:
        """Wait before the next attempt, polling to keep the membership."""
        self.member = replace(self.member, retrying=describe(error))
        self.report.retrying(Phase.APPLY, error, attempt)
        until = time.monotonic() + back_off(attempt, self.tuning.retry_longest_seconds)
        while time.monotonic() < until:
            if self.member.leaving:
                raise BatchAbandoned
            self.member = self.member.ticking()
            await client.hold()
            await asyncio.sleep(self.timing.idle_seconds)

    def _delay(self, partitions: Iterable[Partition], error: Exception) -> None:
        """Delay partitions, longer after each attempt without progress."""
        for partition in partitions:
            tries = self.positions.tries(partition) + 1
            pause = back_off(tries, self.tuning.retry_longest_seconds)
            self.positions.delay(partition, time.monotonic() + pause, describe(error))

    async def _commit(self, client: Client, partitions: set[Partition]) -> None:
        """Commit the fences to Kafka, within a time-out: only lag tools use them."""
        placed = self.positions.placed
        offsets = {p: placed[p].fence.next_offset for p in partitions if p in placed}
        if not offsets:
            return
        try:
            await client.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            self.report.commit_failed(error)
