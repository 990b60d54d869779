"""An offset without a record is skipped only if the log explains it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError
from hypothesis import given
from hypothesis import strategies as st

from router.broker.log import gaps
from router.broker.log.batches import heads
from router.broker.log.gaps import ExplanationUnfinished, explain, unexplained
from router.broker.log.raw_fetch import RawRecords
from router.broker.log.reread import read
from tests.parts.broker.log_model import ABORT, COMMIT, Log
from tests.parts.examples import examples

HERE = TopicPartition("payment", 0)
_WHOLE = 1 << 20
_PRODUCERS = st.integers(1, 3)
_STEPS = st.one_of(
    st.tuples(st.just("plain"), st.integers(1, 4), _PRODUCERS),
    st.tuples(st.just("open"), st.integers(1, 4), _PRODUCERS),
    st.tuples(st.just("end"), st.sampled_from([ABORT, COMMIT]), _PRODUCERS),
)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Draw a log: interleaved transactions of several producers, then compaction."""
    log = Log()
    for what, number, producer in draw(st.lists(_STEPS, max_size=20)):
        if what == "end":
            log.finish(producer, number)
        elif what == "open" or producer not in log.open:
            log.write(number, producer, in_transaction=what == "open")
    if draw(st.booleans()):
        _compact(log, draw)
    return log


def _compact(log: Log, draw: st.DrawFn) -> None:
    """Remove records and batches, but never the last ones, as in an active segment."""
    compacted = []
    for batch in log.batches[:-1]:
        keep = draw(st.lists(st.booleans(), min_size=4, max_size=4))
        kept = [each for each, stays in zip(batch.kept, keep, strict=False) if stays]
        if batch.ends is not None:
            kept = list(batch.kept)
        if kept or keep[0]:
            compacted.append(replace(batch, kept=kept))
    log.batches = compacted + log.batches[-1:]


def offsets(ranges: Sequence[range]) -> set[int]:
    return {offset for each in ranges for offset in each}


def as_gaps(missing: set[int]) -> list[range]:
    return [range(offset, offset + 1) for offset in sorted(missing)]


class Broker:
    """Answers fetches from a log, and counts them."""

    def __init__(self, log: Log, most_bytes: int = _WHOLE) -> None:
        """Answer with at most this many bytes, but always with the complete first batch."""
        self.log, self.most_bytes, self.fetches = log, most_bytes, 0

    async def fetch_raw(
        self, _asker: object, _tp: TopicPartition, offset: int, **_: object
    ) -> RawRecords:
        """Answer a fetch."""
        self.fetches += 1
        if not self.log.start <= offset <= self.log.end:
            raise OffsetOutOfRangeError
        return self.log.fetch(offset, self.most_bytes)

    async def explain(self, missing: Sequence[range], seconds: float = 0.5) -> Sequence[range]:
        """Explain gaps of this log."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gaps, "fetch_raw", self.fetch_raw)
            return await explain(object(), HERE, missing, seconds)


@examples(200)
@given(logs(), st.data())
def test_offset_is_explained_by_a_control_batch_or_an_aborted_transaction(
    log: Log, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, log.stable))
    gap = range(begin, data.draw(st.integers(begin, log.stable)))
    raw = log.fetch(begin, _WHOLE)
    found = unexplained(heads(raw.data), raw.aborted, gap)
    assert offsets(found) == set(gap) - log.explained()


@examples(200)
@given(logs(), st.integers(1, 400))
def test_every_offset_is_a_record_or_explained_or_reported_missing(
    log: Log, most_bytes: int
) -> None:
    whole = log.fetch(0, _WHOLE)
    seen = {each.offset for each in read(HERE, whole.data, whole.aborted, 0, 1000).records}
    assert seen == log.readable()
    broker = Broker(log, most_bytes)
    passed_over = set(range(log.stable)) - seen
    found = asyncio.run(broker.explain(as_gaps(passed_over)))
    assert offsets(found) == passed_over - log.explained()
    assert broker.fetches <= len(log.batches) + 1


def transactions(count: int) -> Log:
    log = Log()
    for number in range(count):
        log.write(3, producer=7, in_transaction=True)
        log.finish(7, ABORT if number % 5 == 0 else COMMIT)
    return log


async def test_gaps_close_together_need_one_fetch() -> None:
    broker = Broker(transactions(150))
    passed_over = set(range(broker.log.end)) - broker.log.readable()
    assert len(passed_over) > 150
    assert await broker.explain(as_gaps(passed_over)) == []
    assert broker.fetches == 1


async def test_gaps_far_apart_are_not_read_through() -> None:
    broker = Broker(transactions(150), most_bytes=1)
    assert await broker.explain([range(3, 4), range(599, 600)]) == []
    assert broker.fetches == 2


async def test_deleted_and_future_offsets_are_not_explained() -> None:
    log = transactions(3)
    log.start = 5
    assert await Broker(log).explain([range(3, 4), range(7, 8)]) == [range(3, 4)]
    assert await Broker(log).explain([range(11, 20), range(30, 31)]) == [
        range(12, 20),
        range(30, 31),
    ]
    log.write(2, producer=8, in_transaction=True)
    assert await Broker(log).explain([range(12, 13)]) == [range(12, 13)]


async def test_time_out_reports_the_gaps_left_and_another_call_continues() -> None:
    log = transactions(3)

    class Slow(Broker):
        async def fetch_raw(self, *args: object, **options: object) -> RawRecords:
            if self.fetches == 2:
                raise TimeoutError
            return await super().fetch_raw(*args, **options)  # type: ignore[arg-type] # passed through

    log.batches = [each for each in log.batches if each.offsets.start != 7]
    slow = Slow(log, most_bytes=1)
    with pytest.raises(ExplanationUnfinished, match="not checked: 11-11") as caught:
        await slow.explain([range(3, 4), range(7, 8), range(11, 12)])
    assert caught.value.missing == [range(7, 8)]
    assert await Broker(log).explain(caught.value.left) == []


async def test_request_to_a_late_new_leader_is_repeated() -> None:
    log = transactions(3)

    class Late(Broker):
        async def fetch_raw(self, *args: object, **options: object) -> RawRecords:
            found = await super().fetch_raw(*args, **options)  # type: ignore[arg-type] # passed through
            return replace(found, data=b"", stable=3) if self.fetches == 1 else found

    assert await Late(log).explain([range(3, 4)], seconds=10) == []


async def test_answer_that_does_not_reach_the_gap_is_an_error() -> None:
    class Behind(Broker):
        async def fetch_raw(self, *_: object, **__: object) -> RawRecords:
            return self.log.fetch(0, 1)

    with pytest.raises(CorruptRecordException, match="no batch with that offset"):
        await Behind(transactions(3)).explain([range(7, 8)])


def test_a_damaged_batch_explains_nothing() -> None:
    raw = transactions(2).fetch(0, _WHOLE)
    damaged = bytearray(raw.data)
    damaged[22] ^= 0x20
    with pytest.raises(CorruptRecordException, match=r"batch at offset 0: .* checksum"):
        heads(bytes(damaged))


def test_damaged_batch_after_a_gap_does_not_prevent_its_explanation() -> None:
    raw = transactions(2).fetch(0, _WHOLE)
    *_, last = heads(raw.data)
    damaged = bytearray(raw.data)
    damaged[-1] ^= 0xFF
    found = heads(bytes(damaged), until=last.base_offset)
    assert found == heads(raw.data)
    assert unexplained(found, raw.aborted, range(1, 2)) == []
    with pytest.raises(CorruptRecordException, match="checksum"):
        heads(bytes(damaged), until=last.base_offset + 1)


def test_message_in_an_old_format_explains_nothing() -> None:
    old = bytearray(transactions(1).fetch(0, _WHOLE).data)
    old[16] = 1
    (first, *_) = heads(bytes(old))
    assert unexplained([first], [(7, 0)], range(1)) == [range(1)]
