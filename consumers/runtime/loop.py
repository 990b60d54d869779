"""The loop of a consumer: position, fetch, apply, commit, until told to stop."""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from consumers.runtime.failures import Action, HaltReason, action_for, describe, halt_reason
from consumers.runtime.offsets import Conflict, Fence, FenceMoved, read_fences
from consumers.runtime.positions import Halt, Place, Positions, same_as_applied, start_at
from consumers.runtime.process import Applier
from consumers.runtime.records import Decoded, Partition, Unreadable, decode, from_client
from consumers.runtime.report import Report
from consumers.runtime.settings import Tuning

IDLE_SECONDS = 0.1
BROKER_SECONDS = 10.0
"""How long the broker may take to say where a log begins and ends."""


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
        self.joined = False
        self._applier = applier
        self._tuning = tuning
        self._report = report
        self._stopping = asyncio.Event()
        self._revoking = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._beyond: dict[Partition, float] = {}

    def stop(self) -> None:
        """Finish the running batch and return from `run`."""
        self._stopping.set()

    def on_assigned(self, partitions: set[Partition]) -> None:
        """Take over an assignment: mark, and return at once."""
        self._revoking = False
        self.joined = True
        self.positions.assign(partitions)
        self._report.assigned(partitions)

    async def on_revoked(self) -> None:
        """Wait until the running batch is finished or given up, within the rebalance timeout."""
        self._revoking = True
        with contextlib.suppress(TimeoutError):
            limit = self._tuning.rebalance_timeout_seconds * 0.8
            await asyncio.wait_for(self._idle.wait(), limit)
        self.joined = False
        self._report.revoked(self.positions.assigned)
        self.positions.revoke()

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Consume until `stop`."""
        while not self._stopping.is_set():
            self.ticked = time.monotonic()
            try:
                await self._position(client)
                await self._step(client)
            except GivenUp:
                self._report.given_up()
            except IllegalStateError:
                # The assignment changed between two lines of ours; look again.
                await asyncio.sleep(IDLE_SECONDS)

    # -- positioning ---------------------------------------------------------

    async def _position(self, client: AIOKafkaConsumer) -> None:
        """Seek every partition not yet placed to where its fence says."""
        wanted = sorted(self.positions.unpositioned)
        if not wanted or self._revoking:
            return
        try:
            fences = await self._fences()
            begin, end = await _bounds(client, wanted)
        except Exception as error:
            if action_for(error) is Action.HALT and not isinstance(error, KafkaError):
                raise
            await self._wait_out(client, error, "position")
            return
        self.retrying = None
        for partition in wanted:
            if partition in self.positions.unpositioned:
                fence = fences.get(partition)
                self._place(client, partition, fence, (begin[partition], end[partition]))

    async def _fences(self) -> Mapping[Partition, Fence]:
        async with self._applier.engine.connect() as connection:
            return await read_fences(connection, self._applier.tables, self._applier.cluster_id)

    def _place(
        self,
        client: AIOKafkaConsumer,
        partition: Partition,
        fence: Fence | None,
        bounds: tuple[int, int],
    ) -> None:
        try:
            start = start_at(partition, fence, *bounds)
        except Halt as halt:
            if not self._may_still_grow(halt):
                self._halt(client, halt)
            return
        self._beyond.pop(partition, None)
        client.seek(_theirs(partition), start.offset)
        client.resume(_theirs(partition))
        self.positions.place(partition, start.place)
        self._report.positioned(partition, start.offset)

    def _may_still_grow(self, halt: Halt) -> bool:
        # A log end below the fence may be a leader that has not caught up yet.
        if halt.reason is not HaltReason.BEYOND_END:
            return False
        since = self._beyond.setdefault(halt.partition, time.monotonic())
        return time.monotonic() - since < self._tuning.beyond_end_seconds

    # -- one batch -----------------------------------------------------------

    async def _step(self, client: AIOKafkaConsumer) -> None:
        fetched = await self._fetch(client)
        batch, cut = self._readable(client, fetched)
        partitions = {decoded.record.partition for decoded in batch}
        if batch and not self._revoking:
            await self._finish_or_unplace(client, batch, partitions)
            await self._commit(client, partitions)
        else:
            self._unplace(partitions)
        self._unplace(cut)
        ends = {p: client.highwater(_theirs(p)) for p in self.positions.placed}
        self._report.progress(self.positions.placed, ends)

    async def _finish_or_unplace(
        self, client: AIOKafkaConsumer, batch: Sequence[Decoded], partitions: set[Partition]
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

    async def _fetch(self, client: AIOKafkaConsumer) -> Mapping[Partition, Sequence[Any]]:
        placed = [_theirs(partition) for partition in self.positions.placed]
        if not placed:
            await self._stay_member(client)
            await asyncio.sleep(IDLE_SECONDS)
            return {}
        try:
            fetched = await client.getmany(
                *placed,
                timeout_ms=int(self._tuning.batch_wait_seconds * 1000),
                max_records=self._tuning.batch_records,
            )
        except OffsetOutOfRangeError as error:
            self._unplace(_ours(tp) for tp in error.args[0])
            return {}
        except KafkaError as error:
            await self._wait_out(client, error, "fetch")
            return {}
        # Revoked while waiting: what was fetched then is somebody else's.
        mine = self.positions.placed
        return {_ours(tp): records for tp, records in fetched.items() if _ours(tp) in mine}

    def _readable(
        self, client: AIOKafkaConsumer, fetched: Mapping[Partition, Sequence[Any]]
    ) -> tuple[Sequence[Decoded], Sequence[Partition]]:
        """Decode in order, up to the first record of a partition that is no event.

        Such a record halts its partition where it comes first. Behind others,
        those are applied first: its partition is named in the second list, to
        be placed anew, and meets it first then.
        """
        batch: list[Decoded] = []
        cut: list[Partition] = []
        for partition, messages in fetched.items():
            place = self.positions.placed[partition]
            known = len(batch)
            try:
                for message in messages:
                    decoded = _checked(partition, message, place)
                    if decoded is not None:
                        batch.append(decoded)
            except Halt as halt:
                if len(batch) > known:
                    cut.append(partition)
                else:
                    self._halt(client, halt)
        return batch, cut

    async def _apply(self, client: AIOKafkaConsumer, batch: Sequence[Decoded]) -> None:
        """Apply a batch, whatever it takes; split it to find a record that cannot be applied."""
        attempt = 0
        while own := [d for d in batch if d.record.partition in self.positions.placed]:
            self.ticked = time.monotonic()
            try:
                await self._apply_once(own)
            except Exception as error:  # noqa: BLE001 - the table decides; the unknown halts
                action = action_for(error)
                if action is Action.RETRY:
                    attempt += 1
                    await self._wait_out(client, error, "apply", attempt)
                    continue
                await self._recover(client, own, error)
            return

    async def _apply_once(self, batch: Sequence[Decoded]) -> None:
        places = self.positions.placed
        partitions = {decoded.record.partition for decoded in batch}
        expected = {partition: places[partition].fence for partition in partitions}
        first = {partition: places[partition].first for partition in partitions}
        started = time.perf_counter()
        applied = await self._applier.apply(batch, expected, first)
        for partition, fence in applied.fences.items():
            if partition in places:
                places[partition].fence = fence
        self._report.batch(applied, len(batch), time.perf_counter() - started)

    async def _recover(
        self, client: AIOKafkaConsumer, batch: Sequence[Decoded], error: Exception
    ) -> None:
        if isinstance(error, FenceMoved):
            self._report.fence_moved(error.partition)
            self._unplace({decoded.record.partition for decoded in batch})
        elif len(batch) > 1:
            half = len(batch) // 2
            await self._apply(client, batch[:half])
            await self._apply(client, batch[half:])
        else:
            record = batch[0].record
            detail = str(error) if isinstance(error, Conflict) else describe(error)
            where = f"offset {record.offset}: {detail}"
            self._halt(client, Halt(record.partition, halt_reason(error), where))

    # -- waiting and halting -------------------------------------------------

    async def _wait_out(
        self, client: AIOKafkaConsumer, error: Exception, what: str, attempt: int = 1
    ) -> None:
        """Wait before the next try, polling so that the membership is kept."""
        longest = self._tuning.retry_longest_seconds
        pause = min(longest, 0.1 * 2 ** min(attempt, 16)) * random.uniform(0.5, 1)  # noqa: S311
        self.retrying = f"{what}: {describe(error)}"
        self._report.retrying(what, error, attempt)
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if self._revoking or self._stopping.is_set():
                raise GivenUp
            self.ticked = time.monotonic()
            await self._stay_member(client)
            await asyncio.sleep(min(IDLE_SECONDS, pause))
        for partition in self.positions.placed:
            client.resume(_theirs(partition))

    async def _stay_member(self, client: AIOKafkaConsumer) -> None:
        """Poll with everything paused: the group hears from us, no record is taken."""
        assigned = client.assignment()
        client.pause(*assigned)
        with contextlib.suppress(KafkaError):
            # Of a partition that is not placed nothing is kept: it is sought first.
            await client.getmany(timeout_ms=0)

    def _halt(self, client: AIOKafkaConsumer, halt: Halt) -> None:
        self.positions.halt(halt)
        with contextlib.suppress(IllegalStateError):
            client.pause(_theirs(halt.partition))
        self._report.halted(halt)

    def _unplace(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self.positions.unplace(partition)

    async def _commit(self, client: AIOKafkaConsumer, partitions: set[Partition]) -> None:
        """Tell Kafka how far it is: a courtesy for lag tools, with a deadline."""
        offsets = {}
        for partition in partitions:
            place = self.positions.placed.get(partition)
            if place is not None and place.fence is not None:
                offsets[_theirs(partition)] = place.fence.next_offset
        if not offsets:
            return
        try:
            await asyncio.wait_for(client.commit(offsets), self._tuning.commit_timeout_seconds)
        except (KafkaError, TimeoutError) as error:
            self._report.commit_failed(error)


async def _bounds(
    client: AIOKafkaConsumer, partitions: Sequence[Partition]
) -> tuple[Mapping[Partition, int], Mapping[Partition, int]]:
    """Ask the broker where each log begins and ends."""
    tps = [_theirs(partition) for partition in partitions]
    async with asyncio.timeout(BROKER_SECONDS):
        begin = await client.beginning_offsets(tps)
        end = await client.end_offsets(tps)
    return (
        {_ours(tp): offset for tp, offset in begin.items()},
        {_ours(tp): offset for tp, offset in end.items()},
    )


def _checked(partition: Partition, message: Any, place: Place) -> Decoded | None:  # noqa: ANN401
    """Decode a record; None where it only proves that the log is the one we know."""
    record = from_client(partition, message)
    if place.compare is not None:
        same_as_applied(record, place.compare)
        place.compare = None
    if place.fence is not None and record.offset < place.fence.next_offset:
        return None
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        detail = f"offset {record.offset} holds no event: {decoded.problem}"
        raise Halt(partition, HaltReason.UNREADABLE, detail)
    return decoded


def _theirs(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def _ours(tp: TopicPartition) -> Partition:
    return Partition(tp.topic, tp.partition)
