"""Turns fetched records into batches: in order, complete, and from the expected log.

Offsets without a record are passed only if the log itself explains them, by
control records of transactions and records of aborted ones. aiokafka skips those
silently, and would skip compacted records just as silently.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.runtime.apply.failures import Action, HaltReason, Phase, back_off, decide, describe
from consumers.runtime.apply.offsets import LastApplied
from consumers.runtime.apply.process import Applier
from consumers.runtime.fetched_ahead import in_time_order
from consumers.runtime.member.client import Client, RecordUnfetchable
from consumers.runtime.member.halts import Halt, records_missing
from consumers.runtime.member.partition import FenceAdvanced, Placed, Read
from consumers.runtime.member.placing import halt_at
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.report import Report
from consumers.runtime.records import (
    Arrived,
    Decode,
    Partition,
    Record,
    TooNew,
    from_client,
    unfetchable,
)
from consumers.runtime.settings import Tuning

TAIL_TRIES = 3
"""How often the end of a log is read again before offsets there count as missing."""


@dataclass(frozen=True)
class Batch:
    """Records to apply, in order within each partition.

    `cut` are partitions of which later records were left out. They are placed again
    afterwards, and the record that has to halt them then comes first.
    """

    arrived: Sequence[Arrived]
    cut: Sequence[Partition] = ()


@dataclass(frozen=True)
class Reading:
    """Turns fetched records into batches, and passes explained gaps."""

    applier: Applier
    tuning: Tuning
    report: Report
    positions: Positions

    async def read(self, client: Client, fetched: Mapping[Partition, Sequence[Any]]) -> Batch:
        """Decode records in order, up to the first record or gap that has to halt a partition."""
        batch: list[Sequence[Arrived]] = []
        cut: list[Partition] = []
        placed = self.positions.placed
        gaps = {each: gaps_before(placed.get(each), fetched[each]) for each in fetched}
        missing = await self._missing(client, gaps)
        for partition, messages in fetched.items():
            place = self.positions.placed.get(partition)
            if place is None or partition not in missing:
                continue
            records = [from_client(partition, message) for message in messages]
            arrived, halt = decode_until_halt(
                place, records, self.applier.decode, missing[partition]
            )
            batch.append(arrived)
            if halt is None:
                self.positions.send(partition, Read(records[-1].offset + 1))
            elif arrived:
                cut.append(partition)
            else:
                halt_at(client, self.positions, self.report, halt)
        return Batch(in_time_order(batch), cut)

    async def unfetchable(self, client: Client, found: RecordUnfetchable) -> Batch:
        """Return a batch that holds an unfetchable record, or halt if that would be wrong."""
        self.report.unfetchable(found)
        placed = unfetchable(found.partition, found.offset, found.problem)
        place = self.positions.placed.get(found.partition)
        gaps = gaps_before(place, [placed.record])
        missing = await self._missing(client, {found.partition: gaps})
        if place is None or found.partition not in missing:
            return Batch([])
        try:
            halt_if_missing(placed.record, missing[found.partition])
            halt_unless_damaged(place, found)
        except Halt as halt:
            halt_at(client, self.positions, self.report, halt)
            return Batch([])
        # The next placement seeks past the record, once the fence has moved past it.
        return Batch([placed], [found.partition])

    async def pass_trailing_gaps(self, client: Client, partitions: Sequence[Partition]) -> None:
        """Move fences over offsets without records at the end of logs, such as commit markers.

        `partitions` are those for which nothing was fetched. Without this their lag
        would stay above 0 until the next record.
        """
        tails: dict[Partition, range] = {}
        for partition in partitions:
            place = self.positions.placed.get(partition)
            if place is not None:
                tails[partition] = range(place.fence.next_offset, await client.position(partition))
        tails = {partition: tail for partition, tail in tails.items() if tail}
        missing = await self._missing(
            client, {partition: [tails[partition]] for partition in tails}
        )
        for partition in missing:
            place, tail = self.positions.placed.get(partition), tails[partition]
            if place is None:
                continue
            if missing[partition]:
                self._recheck_or_halt(client, partition, missing[partition][0], tail.stop)
            elif not await self._pass(partition, place, tail.stop):
                # The store may hang, for each partition in turn: let the loop make a turn first.
                return

    async def _missing(
        self, client: Client, gaps: Mapping[Partition, Sequence[range]]
    ) -> Mapping[Partition, Sequence[range]]:
        """Return unexplained offsets by partition; partitions without an answer are left out.

        All requests are concurrent, so that a frozen broker blocks the loop only once.
        """
        answers = await asyncio.gather(*(self._explain(client, each, gaps[each]) for each in gaps))
        found = zip(gaps, answers, strict=True)
        return {partition: missing for partition, missing in found if missing is not None}

    async def _explain(
        self, client: Client, partition: Partition, gaps: Sequence[range]
    ) -> Sequence[range] | None:
        """Return the unexplained offsets; None if the broker fails, and the partition waits."""
        try:
            return await client.explain(partition, gaps) if gaps else []
        except Exception as error:
            if decide(error, Phase.POSITION) is Action.RAISE:
                raise
            self._delay(partition, error, Phase.FETCH)
            return None

    async def _pass(self, partition: Partition, place: Placed, upto: int) -> bool:
        """Move a fence over a gap; return False if the store failed and the partition waits."""
        try:
            fence = await self.applier.pass_gap(place.fence, upto)
        except Exception as error:  # noqa: BLE001 - `decide` covers all errors
            if decide(error, Phase.APPLY) is Action.REPOSITION:
                self.report.fence_moved(partition)
                self.positions.drop([partition])
                return True
            self._delay(partition, error, Phase.APPLY)
            return False
        self.positions.send(partition, FenceAdvanced(fence))
        self.positions.send(partition, Read(upto))
        return True

    def _recheck_or_halt(
        self, client: Client, partition: Partition, missing: range, upto: int
    ) -> None:
        """Wait and recheck: the client may have passed a record and not yet raised its error."""
        halt = records_missing(partition, missing, upto)
        if self.positions.tries(partition) < TAIL_TRIES:
            self._delay(partition, halt, Phase.FETCH)
        else:
            halt_at(client, self.positions, self.report, halt)

    def _delay(self, partition: Partition, error: Exception, phase: Phase) -> None:
        tries = self.positions.tries(partition) + 1
        self.report.retrying(phase, error, tries)
        due = time.monotonic() + back_off(tries, self.tuning.retry_longest_seconds)
        self.positions.delay(partition, due, describe(error))


def gaps_before(place: Placed | None, messages: Sequence[Any]) -> Sequence[range]:
    """Return the offsets without a record before and between messages, above the fence."""
    if place is None:
        return []
    expected = max(place.reads, place.fence.next_offset)
    gaps = []
    for message in messages:
        if message.offset > expected:
            gaps.append(range(expected, message.offset))
        expected = max(expected, message.offset + 1)
    return gaps


def decode_until_halt(
    place: Placed, records: Sequence[Record], decode: Decode, missing: Sequence[range] = ()
) -> tuple[Sequence[Arrived], Halt | None]:
    """Return the records before the first reason to halt, and that reason, if any."""
    arrived: list[Arrived] = []
    try:
        for record in records:
            halt_if_missing(record, missing)
            found = decode_next(place, record, decode)
            if found is not None:
                arrived.append(found)
    except Halt as halt:
        return arrived, halt
    return arrived, None


def halt_if_missing(record: Record, missing: Sequence[range]) -> None:
    """Raise Halt if offsets before a record are missing without an explanation."""
    before = [gap for gap in missing if gap.start < record.offset]
    if before:
        raise records_missing(record.partition, before[0], record.offset)


def halt_unless_damaged(place: Placed, found: RecordUnfetchable) -> None:
    """Raise Halt if the installation is at fault, or if the record was already applied."""
    if found.installation_fault:
        detail = f"offset {found.offset} cannot be read here: {found.problem}"
        raise Halt(found.partition, HaltReason.NO_CODEC, detail)
    if found.offset < place.fence.next_offset:
        detail = f"offset {found.offset} was applied and can no longer be read"
        raise Halt(found.partition, HaltReason.OTHER_RECORD, detail)


def halt_if_replaced(record: Record, last: LastApplied) -> None:
    """Raise Halt if a different record is at the offset of the last applied one."""
    if record.offset != last.offset:
        return
    if (record.timestamp, record.crc) != (last.timestamp, last.crc):
        detail = (
            f"offset {record.offset} has a different record than the one applied:"
            " was the topic recreated?"
        )
        raise Halt(record.partition, HaltReason.OTHER_RECORD, detail)


def decode_next(place: Placed, record: Record, decode: Decode) -> Arrived | None:
    """Decode a record; None if it is below the fence, read only to compare the log.

    Raises Halt if the record has to stop its partition.
    """
    if place.compare is not None:
        halt_if_replaced(record, place.compare)
    if record.offset < place.fence.next_offset:
        return None
    decoded = decode(record)
    if isinstance(decoded, TooNew):
        detail = f"offset {record.offset}: {decoded.problem}"
        raise Halt(record.partition, HaltReason.TOO_NEW, detail)
    return decoded
