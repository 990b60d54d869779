"""Which offsets that gave no record are explained by the log itself.

Control records and records of aborted transactions are offsets without a
record for a committed reader. Whatever else is missing was removed, by
compaction or otherwise, and may have been a payment.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError

from router.broker.batches import BatchHead, heads
from router.broker.private import Asker
from router.broker.raw_fetch import WAIT_MILLISECONDS, RawRecords, fetch_raw

ONE_GAP_BYTES: Final = 64 * 1024
MANY_GAPS_BYTES: Final = 1024 * 1024
"""Gaps that lie close together are explained by one fetch: a producer of transactions leaves one
after each of them."""

_LONG_GAP: Final = 1000
"""Offsets from which on a single gap is read in large steps too."""

_AGAIN_SECONDS: Final = 0.1
_LAST_SECONDS: Final = 2 * WAIT_MILLISECONDS / 1000
"""Time below which it is too late for another answer."""


class ExplanationUnfinished(TimeoutError):  # noqa: N818 - states what it is
    """Time ran out before all gaps were looked at; asking again for `left` goes on from there."""

    def __init__(self, missing: Sequence[range], left: Sequence[range]) -> None:
        """Store the offsets found not to be explained, and those not looked at."""
        super().__init__(f"not looked at: {', '.join(f'{g.start}-{g.stop - 1}' for g in left)}")
        self.missing = missing
        self.left = left


async def explain(
    asker: Asker, partition: TopicPartition, gaps: Sequence[range], seconds: float
) -> Sequence[range]:
    """Return the offsets within `gaps` that the log does not explain, in order.

    What is outside the log, and what an open transaction keeps from being
    read, is not explained; where a log ends is asked for until the time is up,
    since a new leader may be seconds late in knowing it. Raises KafkaError, and
    ExplanationUnfinished, a TimeoutError that knows what is left.
    """
    missing: list[range] = []
    left = _merged(gaps)
    end = time.monotonic() + seconds
    while left:
        try:
            raw = await _answer(asker, partition, left, end)
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
    """Return the parts of a gap that neither control nor aborted batches cover.

    `batches` is everything that the log holds in the gap, in order, and
    `aborted` gives producer id and first offset of the aborted transactions
    in it. A batch of an aborted transaction explains its offsets also where
    compaction removed records from it: they were aborted too.
    """
    return _without(gap, _explaining(batches, aborted))


async def _answer(
    asker: Asker, partition: TopicPartition, left: Sequence[range], end: float
) -> RawRecords:
    """Fetch at the first offset that is left, until there is data or the time is up."""
    while True:
        seconds = end - time.monotonic()
        raw = await fetch_raw(
            asker, partition, left[0].start, asked_bytes=_bytes_for(left), seconds=seconds
        )
        if raw.data or (end - time.monotonic() < _LAST_SECONDS and not raw.throttled):
            return raw
        await asyncio.sleep(_AGAIN_SECONDS)


def _read(raw: RawRecords, left: Sequence[range]) -> tuple[Sequence[range], list[range]]:
    """Return what an answer does not explain, and what lies behind it."""
    batches = heads(raw.data)
    reached = batches[-1].last_offset + 1 if batches else 0
    if reached <= left[0].start:
        message = f"the answer to a fetch at offset {left[0].start} has no batch that reaches there"
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
    """Yield the offsets of batches that hold nothing for a committed reader."""
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


def _without(gap: range, spans: Iterator[range] | Sequence[range]) -> list[range]:
    """Return a gap without what ascending spans cover."""
    rest: list[range] = []
    at = gap.start
    for span in spans:
        if span.start >= gap.stop:
            break
        if span.start > at:
            rest.append(range(at, span.start))
        at = max(at, span.stop)
    if at < gap.stop:
        rest.append(range(at, gap.stop))
    return rest


def _merged(ranges: Sequence[range]) -> list[range]:
    """Return ranges in order, those that touch or overlap as one."""
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
