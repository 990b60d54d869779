"""What aiokafka's consumer may answer, said by a stand-in: each of its habits at will."""

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
from consumers.runtime.member.client import Client, PlaceLost, RecordUnfetchable, RecordUnreadable
from consumers.runtime.records import Partition
from consumers.runtime.settings import Tuning
from router.broker.log.reread import Seen
from tests.parts.runtime.counting import PAYMENT_0

PAYMENT_1 = Partition("payment", 1)
TP_0, TP_1 = TopicPartition("payment", 0), TopicPartition("payment", 1)

Answer = Mapping[TopicPartition, list[object]] | Exception | Callable[[], Any]


class StandIn:
    """Answers each fetch with what the test has put in; with nothing, when that is used up."""

    def __init__(self, *answers: Answer) -> None:
        """Remember the answers."""
        self.answers = list(answers)
        self.asked: list[set[TopicPartition]] = []
        self.paused: set[TopicPartition] = set()
        self.offset = 7
        self.polled = 0

    async def getmany(self, *asked: TopicPartition, **_: object) -> object:
        """Give the next answer."""
        self.asked.append(set(asked))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer

    async def position(self, _: TopicPartition) -> int:
        """Say what would be read next; of a partition that was not sought, wait for ever."""
        if self.offset < 0:
            await asyncio.Event().wait()
        return self.offset

    def assignment(self) -> set[TopicPartition]:
        """Say what is assigned."""
        return {TP_0, TP_1}

    def pause(self, *partitions: TopicPartition) -> None:
        """Note what is paused."""
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Note what is not paused any more."""
        self.paused -= set(partitions)

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Note the place."""
        self.offset = offset

    def last_poll_timestamp(self, _: TopicPartition) -> int:
        """Say when the broker answered last."""
        return self.polled


def client(consumer: StandIn) -> Client:
    return Client(consumer, Tuning(batch_wait_seconds=0.01, batch_records=3))


async def test_records_are_given_by_partition() -> None:
    consumer = StandIn({TP_0: ["a", "b"], TP_1: ["c"]})
    fetched = await client(consumer).fetch([PAYMENT_0, PAYMENT_1])
    assert fetched == {PAYMENT_0: ["a", "b"], PAYMENT_1: ["c"]}


@pytest.mark.parametrize(
    "error", [OffsetOutOfRangeError({TP_0: 5}), NoOffsetForPartitionError(TP_0)]
)
async def test_a_place_that_is_not_there_is_to_be_found_anew(error: KafkaError) -> None:
    with pytest.raises(PlaceLost) as lost:
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
async def test_a_record_that_cannot_be_read_is_narrowed_to_its_offset(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(_: object, __: TopicPartition, offset: int, ___: int) -> Seen:
        return Seen([], offset, error)

    monkeypatch.setattr(runtime_client, "second_look", blind)
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
    assert found.value.ours == isinstance(error, UnsupportedCodecError)
    assert consumer.asked[1:] == [{TP_0}] * 4
    # The one behind it is looked at alone too.
    reading.seek(PAYMENT_0, 8, 20)
    await reading.fetch([PAYMENT_0, PAYMENT_1])
    assert consumer.asked[5:] == [{TP_0}]


@pytest.mark.parametrize("records", [["a", "b"], []])
async def test_what_another_reader_can_read_is_given_and_reading_goes_on_behind_it(
    monkeypatch: pytest.MonkeyPatch, records: list[str]
) -> None:
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    async def clear(_: object, __: TopicPartition, offset: int, most: int) -> Seen:
        assert (offset, most) == (7, 3)
        return Seen(records, 9, error if records else None)

    monkeypatch.setattr(runtime_client, "second_look", clear)
    consumer = StandIn(error, error)
    reading = client(consumer)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    consumer.offset = 7
    reading.seek(PAYMENT_0, 7, 20)
    assert await reading.fetch([PAYMENT_0]) == ({PAYMENT_0: records} if records else {})
    assert consumer.offset == 9


async def test_a_broker_that_does_not_give_the_bytes_says_nothing_about_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object) -> Seen:
        raise LeaderNotAvailableError

    monkeypatch.setattr(runtime_client, "second_look", away)
    reading = client(StandIn(ValueError(), ValueError()))
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    with pytest.raises(PlaceLost) as lost:
        await reading.fetch([PAYMENT_0])
    assert not isinstance(lost.value, RecordUnreadable)


async def test_a_partition_read_to_its_end_is_no_suspect_any_more() -> None:
    consumer = StandIn(ValueError(), {TP_0: ["a"]}, {}, {TP_0: ["b"], TP_1: ["c"]})
    reading = client(consumer)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    reading.seek(PAYMENT_0, 6, 7)
    consumer.offset = 7
    assert await reading.fetch([PAYMENT_0]) == {PAYMENT_0: ["a"]}
    both = await reading.fetch([PAYMENT_0, PAYMENT_1])
    assert both == {PAYMENT_0: ["b"], PAYMENT_1: ["c"]}


async def test_a_position_that_a_rebalance_took_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_client, "POSITION_SECONDS", 0.01)

    async def rebalance() -> object:
        consumer.offset = -1
        return {}

    consumer = StandIn(ValueError(), rebalance)
    reading = client(consumer)
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    reading.seek(PAYMENT_0, 7, 20)
    consumer.offset = 7
    async with asyncio.timeout(30):
        with pytest.raises(IllegalStateError, match="payment-0 has no position"):
            await reading.fetch([PAYMENT_0])


async def test_what_is_wrong_with_the_group_needs_a_new_client() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await client(StandIn(GroupAuthorizationFailedError("g"))).fetch([PAYMENT_0])
    with pytest.raises(GroupAuthorizationFailedError):
        await client(StandIn(GroupAuthorizationFailedError("g"))).hold()


async def test_a_fetch_that_waits_for_a_rebalance_comes_back_without_records() -> None:
    async with asyncio.timeout(30):
        assert await client(StandIn(asyncio.Event().wait)).fetch([PAYMENT_0]) == {}


async def test_holding_pauses_everything_and_minds_no_place() -> None:
    consumer = StandIn(NoOffsetForPartitionError(TP_1))
    holding = client(consumer)
    await holding.hold()
    assert consumer.paused == {TP_0, TP_1}
    holding.resume([PAYMENT_0])
    assert consumer.paused == {TP_1}


async def test_a_broker_that_answers_no_fetch_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_client, "SILENT_SECONDS", 0.0)
    consumer = StandIn()
    listening = client(consumer)
    consumer.polled = 1
    await listening.fetch([PAYMENT_0])  # the broker was there
    consumer.polled = 2
    await listening.fetch([PAYMENT_0])  # and again
    with pytest.raises(PlaceLost, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])
    consumer.polled = 3
    await listening.fetch([PAYMENT_0])  # it is back, and the client is as good as before
    with pytest.raises(PlaceLost, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])


async def test_a_client_that_fetches_nothing_although_it_was_placed_anew_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_client, "SILENT_SECONDS", 0.0)
    listening = client(StandIn())
    with pytest.raises(PlaceLost, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])
    with pytest.raises(KafkaTimeoutError, match="no fetch was answered"):
        await listening.fetch([PAYMENT_0])


async def test_records_are_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_client, "SILENT_SECONDS", 0.0)
    listening = client(StandIn({TP_0: ["a"]}, {TP_0: ["b"]}))
    await listening.fetch([PAYMENT_0])
    assert await listening.fetch([PAYMENT_0]) == {PAYMENT_0: ["b"]}


async def test_a_broker_that_answers_no_fetch_is_noticed_while_one_partition_is_read_singly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_client, "SILENT_SECONDS", 0.0)
    reading = client(StandIn(ValueError()))
    with pytest.raises(RecordUnreadable):
        await reading.fetch([PAYMENT_0])
    reading.seek(PAYMENT_0, 7, 20)
    with pytest.raises(PlaceLost, match="no fetch was answered"):
        await reading.fetch([PAYMENT_0])
    with pytest.raises(KafkaTimeoutError, match="no fetch was answered"):
        await reading.fetch([PAYMENT_0])
