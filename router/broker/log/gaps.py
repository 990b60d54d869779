"""Finds out why offsets have no record. Only transactions explain a missing record.

A read_committed reader gets no record for control records and for the records of
an aborted transaction. A record at any other missing offset was removed, by
compaction or otherwise, and may have been a payment.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError

from router.broker.adapter.private import KafkaClient
from router.broker.log.batches import BatchHead, heads
from router.broker.log.raw_fetch import WAIT_MILLISECONDS, RawRecords, fetch_raw

ONE_GAP_BYTES: Final = 64 * 1024
MANY_GAPS_BYTES: Final = 1024 * 1024
"""One fetch explains many gaps that are close together: a transactional producer leaves one after
each transaction."""

_LONG_GAP: Final = 1000
"""Length, in offsets, from which even a single gap is read in large steps."""

_AGAIN_SECONDS: Final = 0.1
_LAST_SECONDS: Final = 2 * WAIT_MILLISECONDS / 1000
"""Remaining time below which another answer would come too late."""


class ExplanationUnfinished(TimeoutError):  # noqa: N818 - names the state
    """The time-out passed before all gaps were checked; call again with `left` to continue."""

    def __init__(self, missing: Sequence[range], left: Sequence[range]) -> None:
        """Store the unexplained offsets, and those not checked yet."""
        super().__init__(f"not checked: {', '.join(f'{g.start}-{g.stop - 1}' for g in left)}")
        self.missing = missing
        self.left = left


async def explain(
    client: KafkaClient, partition: TopicPartition, gaps: Sequence[range], seconds: float
) -> Sequence[range]:
    """Return the offsets within `gaps` that the log does not explain, in order.

    Offsets outside the log, or after the last stable offset, count as unexplained.
    At the end of the log it repeats the request until `seconds` have passed: a new
    leader may learn seconds late where the log ends. Raises KafkaError, and
    ExplanationUnfinished, a TimeoutError with the gaps that are left.
    """
    missing: list[range] = []
    left = _merged(gaps)
    end = time.monotonic() + seconds
    while left:
        try:
            raw = await _answer(client, partition, left, end)
        except OffsetOutOfRangeError:
            missing.append(left.pop(0))
            continue
        except TimeoutError as error:
            raise ExplanationUnfinished(_merged(missing), left) from error
        found, left = _read(raw, left) if raw.data else (left, [])
        missing += found
    return _merged(missing)


def unexplained(
    batches: Sequence[BatchHead], aborted: Sequence[tuple[int, int]], gap: range
) -> Sequence[range]:
    """Return the parts of a gap that neither control batches nor aborted batches cover.

    `batches` are all batches of the log within the gap, in order. `aborted` has the
    producer id and the first offset of each aborted transaction in the gap. A batch of
    an aborted transaction explains all its offsets, even those that compaction removed:
    their records were aborted too.
    """
    return _without(gap, list(_explaining(batches, aborted)))


async def _answer(
    client: KafkaClient, partition: TopicPartition, left: Sequence[range], end: float
) -> RawRecords:
    """Fetch at the first remaining offset, until there is data or the time-out is near."""
    while True:
        seconds = end - time.monotonic()
        raw = await fetch_raw(
            client, partition, left[0].start, asked_bytes=_bytes_for(left), seconds=seconds
        )
        if raw.data or end - time.monotonic() < _LAST_SECONDS:
            return raw
        await asyncio.sleep(_AGAIN_SECONDS)


def _read(raw: RawRecords, left: Sequence[range]) -> tuple[Sequence[range], list[range]]:
    """Return the offsets that an answer leaves unexplained, and the gaps it does not reach."""
    batches = heads(raw.data, until=left[-1].stop)
    reached = batches[-1].last_offset + 1 if batches else 0
    if reached <= left[0].start:
        message = f"the answer to a fetch at offset {left[0].start} has no batch with that offset"
        raise CorruptRecordException(message)
    missing: list[range] = []
    rest: list[range] = []
    spans = list(_explaining(batches, raw.aborted))
    for gap in left:
        missing += _without(range(gap.start, min(gap.stop, reached)), spans)
        behind = range(max(gap.start, reached), gap.stop)
        rest += [behind] if behind else []
    return missing, rest


def _explaining(
    batches: Sequence[BatchHead], aborted: Sequence[tuple[int, int]]
) -> Iterator[range]:
    """Yield the offsets of batches that have no record for a committed reader."""
    coming = sorted(aborted, key=lambda each: each[1], reverse=True)
    aborting: set[int] = set()
    for batch in batches:
        while coming and coming[-1][1] <= batch.last_offset:
            aborting.add(coming.pop()[0])
        if batch.control:
            # A producer has one transaction at a time, and this ends it.
            aborting.discard(batch.producer_id)
        if batch.control or (batch.transactional and batch.producer_id in aborting):
            yield range(batch.base_offset, batch.last_offset + 1)


def _without(gap: range, spans: Sequence[range]) -> list[range]:
    """Return the parts of a gap that no span covers; spans are in ascending order."""
    rest: list[range] = []
    at = gap.start
    first = bisect_right(spans, gap.start, key=lambda span: span.stop)
    for span in islice(spans, first, None):
        if span.start >= gap.stop:
            break
        if span.start > at:
            rest.append(range(at, span.start))
        at = max(at, span.stop)
    if at < gap.stop:
        rest.append(range(at, gap.stop))
    return rest


def _merged(ranges: Sequence[range]) -> list[range]:
    """Return ranges in order, joined if they touch or overlap."""
    merged: list[range] = []
    for each in sorted((each for each in ranges if each), key=lambda each: each.start):
        if merged and each.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, each.stop))
        else:
            merged.append(each)
    return merged


def _bytes_for(left: Sequence[range]) -> int:
    alone = len(left) == 1 and len(left[0]) < _LONG_GAP
    return ONE_GAP_BYTES if alone else MANY_GAPS_BYTES
