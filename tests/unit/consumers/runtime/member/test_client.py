"""The client handles each habit of aiokafka's consumer, reproduced by a stand-in."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

from consumers.runtime.member import client as runtime_client
from consumers.runtime.member.client import (
    Client,
    PositionsLost,
    RecordUnfetchable,
    RecordUnreadable,
)
from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerTiming, Tuning
from router.broker.log.reread import RereadRecords
from tests.parts.runtime.counting import PAYMENT_0

PAYMENT_1 = Partition("payment", 1)
TP_0, TP_1 = TopicPartition("payment", 0), TopicPartition("payment", 1)

Answer = Mapping[TopicPartition, list[object]] | Exception | Callable[[], Any]


class StandIn:
    """Returns the test's answers to fetches one by one; empty once they are used up."""

    def __init__(self, *answers: Answer) -> None:
        """Store the answers."""
        self.answers = list(answers)
        self.asked: list[set[TopicPartition]] = []
        self.paused: set[TopicPartition] = set()
        self.offset = 7
        self.polled = 0

    async def getmany(self, *asked: TopicPartition, **_: object) -> object:
        """Return the next answer."""
        self.asked.append(set(asked))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer

    async def position(self, _: TopicPartition) -> int:
        """Return the next offset; without a seek, wait forever."""
        if self.offset < 0:
            await asyncio.Event().wait()
        return self.offset

    def assignment(self) -> set[TopicPartition]:
        """Return the assignment."""
        return {TP_0, TP_1}

    def pause(self, *partitions: TopicPartition) -> None:
        """Record paused partitions."""
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Record resumed partitions."""
        self.paused -= set(partitions)

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Record the offset."""
        self.offset = offset

    def last_poll_timestamp(self, _: TopicPartition) -> int:
        """Return when the broker last answered."""
        return self.polled


def client(consumer: StandIn, **timing: float) -> Client:
    tuning = Tuning(batch_wait_seconds=0.01, batch_records=3)
    return Client(consumer, tuning, ConsumerTiming(**timing))


async def test_fetch_returns_records_by_partition() -> None:
    consumer = StandIn({TP_0: ["a", "b"], TP_1: ["c"]})
    fetched = await client(consumer).fetch([PAYMENT_0, PAYMENT_1])
    assert fetched == {PAYMENT_0: ["a", "b"], PAYMENT_1: ["c"]}


@pytest.mark.parametrize(
    "error", [OffsetOutOfRangeError({TP_0: 5}), NoOffsetForPartitionError(TP_0)]
)
async def test_invalid_position_raises_positions_lost(error: KafkaError) -> None:
    with pytest.raises(PositionsLost) as lost:
        await client(StandIn(error)).fetch([PAYMENT_0])
    assert not isinstance(lost.value, RecordUnreadable)


@pytest.mark.parametrize(
    "error",
    [
        CorruptRecordException(),
        RecordTooLargeError(),
        UnsupportedCodecError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ValueError("whatever"),
    ],
)
async def test_unreadable_record_is_narrowed_down_to_its_offset(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(_: object, __: TopicPartition, offset: int, ___: int) -> RereadRecords:
        return RereadRecords([], offset, error)

    monkeypatch.setattr(runtime_client, "reread_records", blind)
    consumer = StandIn(error, {TP_0: ["a"]}, {TP_0: ["b"]}, error, error)
    reading = client(consumer)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0, PAYMENT_1])
    reading.seek(PAYMENT_0, 7, 20)
    reading.seek(PAYMENT_1, 7, 20)
    assert await reading.fetch([PAYMENT_0, PAYMENT_1]) == {PAYMENT_0: ["a", "b"]}
    with pytest.raises(RecordUnfetchable, match="payment-0 offset 7 cannot be read") as found:
        await reading.fetch([PAYMENT_0, PAYMENT_1])
    assert (found.value.partition, found.value.offset) == (PAYMENT_0, 7)
    assert found.value.installation_fault == isinstance(error, UnsupportedCodecError)
    assert consumer.asked[1:] == [{TP_0}] * 4
    # The record after it is fetched singly too.
    reading.seek(PAYMENT_0, 8, 20)
    await reading.fetch([PAYMENT_0, PAYMENT_1])
    assert consumer.asked[5:] == [{TP_0}]


@pytest.mark.parametrize("records", [["a", "b"], []])
async def test_record_readable_in_another_way_is_returned_and_reading_continues_after_it(
    monkeypatch: pytest.MonkeyPatch, records: list[str]
) -> None:
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    async def clear(_: object, __: TopicPartition, offset: int, most: int) -> RereadRecords:
        assert (offset, most) == (7, 3)
        return RereadRecords(records, 9, error if records else None)

    monkeypatch.setattr(runtime_client, "reread_records", clear)
    consumer = StandIn(error, error)
    reading = client(consumer)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    consumer.offset = 7
    reading.seek(PAYMENT_0, 7, 20)
    assert await reading.fetch([PAYMENT_0]) == ({PAYMENT_0: records} if records else {})
    assert consumer.offset == 9


async def test_failed_reread_does_not_condemn_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object) -> RereadRecords:
        raise LeaderNotAvailableError

    monkeypatch.setattr(runtime_client, "reread_records", away)
    reading = client(StandIn(ValueError(), ValueError()))
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    with pytest.raises(PositionsLost) as lost:
        await reading.fetch([PAYMENT_0])
    assert not isinstance(lost.value, RecordUnreadable)


async def test_partition_read_to_its_end_is_no_longer_a_suspect() -> None:
    consumer = StandIn(ValueError(), {TP_0: ["a"]}, {}, {TP_0: ["b"], TP_1: ["c"]})
    reading = client(consumer)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    reading.seek(PAYMENT_0, 6, 7)
    consumer.offset = 7
    assert await reading.fetch([PAYMENT_0]) == {PAYMENT_0: ["a"]}
    both = await reading.fetch([PAYMENT_0, PAYMENT_1])
    assert both == {PAYMENT_0: ["b"], PAYMENT_1: ["c"]}


async def test_position_lost_in_a_rebalance_raises_instead_of_waiting() -> None:
    async def rebalance() -> object:
        consumer.offset = -1
        return {}

    consumer = StandIn(ValueError(), rebalance)
    reading = client(consumer, position_seconds=0.01)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    reading.seek(PAYMENT_0, 7, 20)
    consumer.offset = 7
    async with asyncio.timeout(30):
        with pytest.raises(IllegalStateError, match="payment-0 has no position"):
            await reading.fetch([PAYMENT_0])


async def test_group_error_requires_a_new_client() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await client(StandIn(GroupAuthorizationFailedError("g"))).fetch([PAYMENT_0])
    with pytest.raises(GroupAuthorizationFailedError):
        await client(StandIn(GroupAuthorizationFailedError("g"))).hold()


async def test_fetch_during_a_rebalance_returns_without_records() -> None:
    async with asyncio.timeout(30):
        assert await client(StandIn(asyncio.Event().wait)).fetch([PAYMENT_0]) == {}


async def test_hold_pauses_all_partitions_and_ignores_invalid_positions() -> None:
    consumer = StandIn(NoOffsetForPartitionError(TP_1))
    holding = client(consumer)
    await holding.hold()
    assert consumer.paused == {TP_0, TP_1}
    holding.resume([PAYMENT_0])
    assert consumer.paused == {TP_1}


async def test_unanswered_fetches_are_noticed() -> None:
    consumer = StandIn()
    listening = client(consumer, silent_seconds=0.0)
    consumer.polled = 1
    await listening.fetch([PAYMENT_0])  # the broker was there
    consumer.polled = 2
    await listening.fetch([PAYMENT_0])  # and again
    with pytest.raises(PositionsLost, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])
    consumer.polled = 3
    await listening.fetch([PAYMENT_0])  # it is back, and the client works as before
    with pytest.raises(PositionsLost, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])


async def test_client_without_answers_after_new_placement_is_replaced() -> None:
    listening = client(StandIn(), silent_seconds=0.0)
    with pytest.raises(PositionsLost, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])
    with pytest.raises(KafkaTimeoutError, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])


async def test_records_count_as_an_answer() -> None:
    listening = client(StandIn({TP_0: ["a"]}, {TP_0: ["b"]}), silent_seconds=0.0)
    await listening.fetch([PAYMENT_0])
    assert await listening.fetch([PAYMENT_0]) == {PAYMENT_0: ["b"]}


async def test_unanswered_fetches_are_noticed_while_one_partition_is_read_singly() -> None:
    reading = client(StandIn(ValueError()), silent_seconds=0.0)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    reading.seek(PAYMENT_0, 7, 20)
    with pytest.raises(PositionsLost, match="no fetch was answered"):
        await reading.fetch([PAYMENT_0])
    with pytest.raises(KafkaTimeoutError, match="no fetch was answered"):
        await reading.fetch([PAYMENT_0])
