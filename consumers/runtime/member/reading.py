"""Reads what was fetched: in order, complete, and from the log that is known, or not at all.

Offsets without a record are passed only where the log itself explains them:
control records of transactions, and records of aborted ones. aiokafka skips
those silently, and would skip what compaction took as silently.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.runtime.apply.failures import Action, HaltReason, Phase, back_off, decide, describe
from consumers.runtime.apply.offsets import LastApplied
from consumers.runtime.apply.process import Applier
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
"""So often the end of a log is read again before offsets there count as missing."""


@dataclass(frozen=True)
class Batch:
    """Records to apply, in the order of each partition.

    `cut` are the partitions of which records were left: they are placed again
    afterwards, and meet first what has to halt them.
    """

    arrived: Sequence[Arrived]
    cut: Sequence[Partition] = ()


@dataclass(frozen=True)
class Reading:
    """Turns what the client gives into batches, and passes gaps that are explained."""

    applier: Applier
    tuning: Tuning
    report: Report
    positions: Positions

    async def read(self, client: Client, fetched: Mapping[Partition, Sequence[Any]]) -> Batch:
        """Decode in order, up to the first record or gap that has to halt a partition."""
        batch: list[Arrived] = []
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
            batch += arrived
            if halt is None:
                self.positions.send(partition, Read(records[-1].offset + 1))
            elif arrived:
                cut.append(partition)
            else:
                halt_at(client, self.positions, self.report, halt)
        return Batch(batch, cut)

    async def unfetchable(self, client: Client, found: RecordUnfetchable) -> Batch:
        """Hold a record that cannot be read by its place, or halt where that would be wrong."""
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
        # Its place in the log is passed by seeking, once its fence has passed it.
        return Batch([placed], [found.partition])

    async def pass_trailing_gaps(self, client: Client, partitions: Sequence[Partition]) -> None:
        """Move fences over what a log ends with that is no record, as a transaction's marker.

        `partitions` are those of which nothing came. Without this their lag
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
                # The store may be frozen, and would be for each: the loop makes a turn first.
                return

    async def _missing(
        self, client: Client, gaps: Mapping[Partition, Sequence[range]]
    ) -> Mapping[Partition, Sequence[range]]:
        """Return the offsets that nothing explains; none of partitions without an answer.

        All are asked for at once: a broker that is frozen holds up the loop once.
        """
        answers = await asyncio.gather(*(self._explain(client, each, gaps[each]) for each in gaps))
        found = zip(gaps, answers, strict=True)
        return {partition: missing for partition, missing in found if missing is not None}

    async def _explain(
        self, client: Client, partition: Partition, gaps: Sequence[range]
    ) -> Sequence[range] | None:
        """Ask for one partition, which waits where the broker does not answer."""
        try:
            return await client.explain(partition, gaps) if gaps else []
        except Exception as error:
            if decide(error, Phase.POSITION) is Action.RAISE:
                raise
            self._delay(partition, error, Phase.FETCH)
            return None

    async def _pass(self, partition: Partition, place: Placed, upto: int) -> bool:
        """Move a fence over a gap; tell whether the store took it."""
        try:
            fence = await self.applier.pass_gap(place.fence, upto)
        except Exception as error:  # noqa: BLE001 - the table decides, and nothing is lost
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
        """Look again: the client may have moved on and not yet raised what it could not read."""
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
    """Return what comes before the first reason to halt, and that reason."""
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
    """Raise Halt where offsets before a record are missing without an explanation."""
    before = [gap for gap in missing if gap.start < record.offset]
    if before:
        raise records_missing(record.partition, before[0], record.offset)


def halt_unless_damaged(place: Placed, found: RecordUnfetchable) -> None:
    """Raise Halt where it is no fault of the record, or where it was read and applied before."""
    if found.installation_fault:
        detail = f"offset {found.offset} cannot be read here: {found.problem}"
        raise Halt(found.partition, HaltReason.NO_CODEC, detail)
    if found.offset < place.fence.next_offset:
        detail = f"offset {found.offset} was applied, and cannot be read any more"
        raise Halt(found.partition, HaltReason.OTHER_RECORD, detail)


def halt_if_replaced(record: Record, last: LastApplied) -> None:
    """Raise Halt where another record is in the place of the last applied one."""
    if record.offset != last.offset:
        return
    if (record.timestamp, record.crc) != (last.timestamp, last.crc):
        detail = (
            f"offset {record.offset} holds another record than the one applied:"
            " was the topic recreated?"
        )
        raise Halt(record.partition, HaltReason.OTHER_RECORD, detail)


def decode_next(place: Placed, record: Record, decode: Decode) -> Arrived | None:
    """Decode a record; None where it only proves that the log is the one we know.

    Raises Halt where it has to stop its partition.
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
