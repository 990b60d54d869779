"""The loop of a consumer: position, fetch, apply, commit, until told to stop."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.exc import SQLAlchemyError

from consumers.runtime.brake import Brake
from consumers.runtime.client import Client, PlaceLost, RecordUnfetchable
from consumers.runtime.failures import (
    Action,
    HaltReason,
    action_for,
    back_off,
    describe,
    is_too_slow,
)
from consumers.runtime.held import Verdict
from consumers.runtime.offsets import Fence, FenceMoved, was_set
from consumers.runtime.positions import Halt, Positions, next_at, start_at
from consumers.runtime.process import Applier
from consumers.runtime.records import Arrived, Partition, from_client, unfetchable
from consumers.runtime.report import Report
from consumers.runtime.settings import Tuning
from consumers.runtime.verdicts import verdict_on

IDLE_SECONDS = 0.1
BROKER_SECONDS = 10.0
"""How long the broker may take to say where a log begins and ends."""

NEIGHBOURLY_SECONDS = 1.0
"""The same, while other partitions wait to be read on."""

SLOW_TRIES = 3
"""So often a batch may be cut off by the server for the time it took before it is split."""


class GivenUp(Exception):  # noqa: N818 - reads as what happened
    """The partitions were revoked, or the process stops, while a batch waited for its next try."""


class Loop:
    """Drives one member of the group. Everything runs in one task but the two callbacks.

    A partition is fetched from only while it is placed. Whatever drops fetched
    records unplaces their partition, so that the fence says where to read on.
    """

    def __init__(self, applier: Applier, tuning: Tuning, report: Report) -> None:
        """Remember what to work with; `run` gets the client."""
        self.positions = Positions()
        self.ticked = time.monotonic()
        self.retrying: str | None = None
        self.held_up: str | None = None
        self.joined = False
        self.brakes: Mapping[str, Brake] = {}
        self._applier = applier
        self._tuning = tuning
        self._report = report
        self._stopping = asyncio.Event()
        self._revoking = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._beyond: dict[Partition, float] = {}
        self._stood: dict[Partition, Fence | None] = {}
        self._looks = 0
        self._look_again = 0.0

    def stop(self) -> None:
        """Finish the running batch and return from `run`."""
        self._stopping.set()

    def on_assigned(self, partitions: set[Partition]) -> None:
        """Take over an assignment: mark, and return at once."""
        self.positions.assign(partitions)
        self._beyond.clear()
        self._look_later(0)
        self._revoking = False
        self.joined = True
        self._report.assigned(partitions)

    def brakes_seen(self, brakes: Mapping[str, Brake]) -> None:
        """Leave the topics alone whose brake holds."""
        for topic in sorted(brakes.keys() - self.brakes.keys()):
            self._report.braked(brakes[topic])
        for topic in sorted(self.brakes.keys() - brakes.keys()):
            self._report.released(topic)
        self.brakes = brakes

    def fences_seen(
        self, before: Mapping[Partition, int], fences: Mapping[Partition, Fence]
    ) -> None:
        """Look whether a command has set a fence: back behind what is placed, or a halted one.

        `before` is what was placed before the fences were read, so that what
        the loop has moved meanwhile is not taken for it.
        """
        for partition, known in before.items():
            fence = fences.get(partition)
            if partition in self.positions.placed and (fence is None or fence.next_offset < known):
                self._report.fence_moved(partition)
                self._unplace([partition])
        # One that halted while the fences were read may have moved its own before that.
        halted = {p: halt for p, halt in self.positions.halted.items() if p not in before}
        left = self.positions.left
        stood = {each: self._stood.get(each, left.get(each)) for each in halted}
        self._stood = {each: fences.get(each) for each in halted}
        for partition, before_it in stood.items():
            if was_set(before_it, fences.get(partition)):
                self._report.went_on(halted[partition])
                self.positions.release(partition)

    async def on_revoked(self) -> None:
        """Wait until the running batch is finished or given up, within the rebalance timeout."""
        self._revoking = True
        limit = self._tuning.rebalance_timeout_seconds * 0.8
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), limit)
        finally:
            # A batch that still runs finds nothing placed; the fence decides about it.
            self.forget()

    def forget(self) -> None:
        """Let go of the assignment: it was revoked, or the client that had it is gone."""
        gone = self.positions.assigned
        self.joined = False
        self.positions.revoke()
        self._report.revoked(gone)

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Consume until `stop`. Raises KafkaError where a new client is needed."""
        client = Client(consumer, self._tuning)
        while not self._stopping.is_set():
            self.ticked = time.monotonic()
            try:
                await self._position(client)
                await self._step(client)
            except GivenUp:
                self._report.given_up()
            except IllegalStateError:
                # The assignment changed between two lines of ours; look again.
                self._unplace(list(self.positions.placed))
                await asyncio.sleep(IDLE_SECONDS)

    # -- positioning ---------------------------------------------------------

    async def _position(self, client: Client) -> None:
        """Seek every partition not yet placed to where its fence says."""
        wanted = sorted(self.positions.unpositioned)
        if not wanted or self._revoking or time.monotonic() < self._look_again:
            return
        seconds = NEIGHBOURLY_SECONDS if self.positions.placed else BROKER_SECONDS
        bounds = await client.bounds(wanted, seconds)
        try:
            begin = {partition: bounds[partition][0] for partition in bounds}
            fences = await self._applier.fences(begin)
        except Exception as error:
            # Nothing is read before its fence, so whatever the store says can be waited out.
            if action_for(error) is Action.PARK and not isinstance(error, SQLAlchemyError):
                raise
            self._hold_up(error)
            return
        for partition in bounds.keys() & fences.keys() & self.positions.unpositioned:
            self._place(client, fences[partition], bounds[partition])
        silent = [str(partition) for partition in wanted if partition not in bounds]
        if silent:
            self._hold_up(TimeoutError(f"the broker does not say where {silent[0]} ends"))
        else:
            self._looks, self.held_up = 0, None

    def _place(self, client: Client, fence: Fence, bounds: tuple[int, int]) -> None:
        partition = fence.partition
        self.positions.left[partition] = fence
        try:
            start = start_at(fence, *bounds)
        except Halt as halt:
            if self._may_still_grow(halt):
                self._look_later(IDLE_SECONDS)
            else:
                self._halt(client, halt)
            return
        self._beyond.pop(partition, None)
        client.seek(partition, start.offset, bounds[1])
        self.positions.place(partition, start.place)
        self._report.positioned(partition, start.offset)

    def _may_still_grow(self, halt: Halt) -> bool:
        # A log end below the fence may be a leader that has not caught up yet.
        if halt.reason is not HaltReason.BEYOND_END:
            return False
        since = self._beyond.setdefault(halt.partition, time.monotonic())
        return time.monotonic() - since < self._tuning.beyond_end_seconds

    def _hold_up(self, error: Exception) -> None:
        self._looks += 1
        self.held_up = describe(error)
        self._report.retrying("position", error, self._looks)
        self._look_later(back_off(self._looks, self._tuning.retry_longest_seconds))

    def _look_later(self, seconds: float) -> None:
        self._look_again = time.monotonic() + seconds

    # -- one batch -----------------------------------------------------------

    async def _step(self, client: Client) -> None:
        try:
            batch, cut = self._readable(client, await self._fetch(client))
        except RecordUnfetchable as found:
            batch = [unfetchable(found.partition, found.offset, found.problem)]
            # Its place in the log is passed by seeking, if its place in the books is.
            cut = [found.partition]
            self._report.unfetchable(found)
            self._halt_at(client, found)
        partitions = {arrived.record.partition for arrived in batch}
        try:
            if batch and not self._revoking:
                await self._finish_or_unplace(client, batch, partitions)
                await self._commit(client, partitions)
            else:
                self._unplace(partitions)
        finally:
            self._unplace(cut)
        if not self._revoking:
            fences = {each: self.positions.placed[each].fence for each in self._moving()}
            self._report.lag.progress(partitions, fences, client.ends(fences))

    def _halt_at(self, client: Client, found: RecordUnfetchable) -> None:
        """Halt where it is no fault of the record, or where it was read and applied before."""
        place = self.positions.placed.get(found.partition)
        if found.ours:
            detail = f"offset {found.offset} cannot be read here: {found.problem}"
            self._halt(client, Halt(found.partition, HaltReason.NO_CODEC, detail))
        elif place is not None and found.offset < place.fence.next_offset:
            detail = f"offset {found.offset} was applied, and cannot be read any more"
            self._halt(client, Halt(found.partition, HaltReason.OTHER_RECORD, detail))

    async def _finish_or_unplace(
        self, client: Client, batch: Sequence[Arrived], partitions: set[Partition]
    ) -> None:
        self._idle.clear()
        try:
            await self._apply(client, batch)
        except BaseException:
            self._unplace(partitions)
            raise
        finally:
            self.retrying = None
            self._idle.set()

    async def _fetch(self, client: Client) -> Mapping[Partition, Sequence[Any]]:
        asked = sorted(self._moving())
        if not asked or self._revoking:
            await client.hold()
            await asyncio.sleep(IDLE_SECONDS)
            return {}
        for partition in self.positions.placed.keys() - set(asked):
            client.pause(partition)
        client.resume(asked)
        try:
            fetched = await client.fetch(asked)
        except PlaceLost as error:
            # After a rebalance meanwhile, it is about partitions not placed yet, and no news.
            if self.positions.placed:
                self._report.retrying("fetch", error, 1)
                self._unplace(asked)
                self._look_later(IDLE_SECONDS)
            return {}
        # Revoked while waiting: what was fetched then is somebody else's.
        mine = self.positions.placed
        return {partition: fetched[partition] for partition in fetched if partition in mine}

    def _moving(self) -> set[Partition]:
        """Return what is placed and not of a topic whose brake holds."""
        return {each for each in self.positions.placed if each.topic not in self.brakes}

    def _readable(
        self, client: Client, fetched: Mapping[Partition, Sequence[Any]]
    ) -> tuple[Sequence[Arrived], Sequence[Partition]]:
        """Decode in order, up to the first record of a partition that has to halt it.

        Such a record halts its partition where it comes first. Behind others,
        those are applied first: its partition is named in the second list, to
        be placed anew, and meets it first then.
        """
        batch: list[Arrived] = []
        cut: list[Partition] = []
        for partition, messages in fetched.items():
            place = self.positions.placed[partition]
            known = len(batch)
            try:
                for message in messages:
                    arrived = next_at(place, from_client(partition, message), self._applier.decode)
                    if arrived is not None:
                        batch.append(arrived)
            except Halt as halt:
                if len(batch) > known:
                    cut.append(partition)
                else:
                    self._halt(client, halt)
        return batch, cut

    async def _apply(
        self, client: Client, batch: Sequence[Arrived], verdict: Verdict | None = None
    ) -> None:
        """Apply a batch, whatever it takes; split it to find a record that cannot be applied."""
        attempt = 0
        while own := [d for d in batch if d.record.partition in self.positions.placed]:
            self.ticked = time.monotonic()
            try:
                await self._apply_once(own, verdict)
            except Exception as error:  # noqa: BLE001 - the table decides about each
                action = action_for(error)
                attempt += 1
                too_much = verdict is None and attempt >= SLOW_TRIES and is_too_slow(error)
                if action is Action.RETRY and not too_much:
                    await self._wait_out(client, error, attempt)
                    continue
                await self._recover(client, own, error, verdict)
            return

    async def _apply_once(self, batch: Sequence[Arrived], verdict: Verdict | None) -> None:
        places = self.positions.placed
        partitions = {arrived.record.partition for arrived in batch}
        expected = {partition: places[partition].fence for partition in partitions}
        started = time.perf_counter()
        applied = await self._applier.apply(batch, expected, verdict)
        for partition, fence in applied.fences.items():
            if partition in places:
                places[partition].fence = fence
        self._unplace(applied.cut)
        self.brakes_seen({**self.brakes, **applied.brakes})
        self._report.batch(applied, len(batch), time.perf_counter() - started)

    async def _recover(
        self,
        client: Client,
        batch: Sequence[Arrived],
        error: Exception,
        verdict: Verdict | None,
    ) -> None:
        if isinstance(error, FenceMoved):
            self._report.fence_moved(error.partition)
            self._unplace({arrived.record.partition for arrived in batch})
        elif len(batch) > 1:
            half = len(batch) // 2
            await self._apply(client, batch[:half])
            await self._apply(client, batch[half:])
        elif verdict is None:
            await self._apply(client, batch, verdict_on(error, self._tuning))
        else:
            record = batch[0].record
            where = f"offset {record.offset} can be neither applied nor held: {describe(error)}"
            self._halt(client, Halt(record.partition, HaltReason.NOT_HELD, where, record.offset))

    # -- waiting and halting -------------------------------------------------

    async def _wait_out(self, client: Client, error: Exception, attempt: int) -> None:
        """Wait before the next try, polling so that the membership is kept."""
        self.retrying = describe(error)
        self._report.retrying("apply", error, attempt)
        until = time.monotonic() + back_off(attempt, self._tuning.retry_longest_seconds)
        while time.monotonic() < until:
            if self._revoking or self._stopping.is_set():
                raise GivenUp
            self.ticked = time.monotonic()
            await client.hold()
            await asyncio.sleep(IDLE_SECONDS)

    def _halt(self, client: Client, halt: Halt) -> None:
        if halt.partition not in self.positions.assigned:
            return
        self.positions.halt(halt)
        with contextlib.suppress(IllegalStateError):
            client.pause(halt.partition)
        self._report.halted(halt)

    def _unplace(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self.positions.unplace(partition)

    async def _commit(self, client: Client, partitions: set[Partition]) -> None:
        """Tell Kafka how far it is: a courtesy for lag tools, with a deadline."""
        placed = self.positions.placed
        offsets = {p: placed[p].fence.next_offset for p in partitions if p in placed}
        if not offsets:
            return
        try:
            await client.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            self._report.commit_failed(error)
