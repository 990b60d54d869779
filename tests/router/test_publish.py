"""What the publisher does with a producer that behaves as aiokafka's can."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAuthorizationFailedError,
)
from structlog.testing import capture_logs

from router import publish
from router.contract.wire import OutgoingRecord
from router.errors import NotDurable
from tests.router.producers import ToldProducer, running_publisher


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("PROBE_SECONDS", "STOP_SECONDS", "CONNECT_SECONDS"):
        monkeypatch.setattr(publish, name, 0.02)
    with capture_logs():
        yield


def _records(*values: bytes) -> list[OutgoingRecord]:
    return [OutgoingRecord("payment", b"k", value, [("ce_type", b"x")]) for value in values]


async def test_nothing_is_durable_before_there_is_a_producer() -> None:
    async with running_publisher(ToldProducer(hangs="start")) as running:
        with pytest.raises(NotDurable, match="no connection"):
            await running.publisher(_records(b"1"))

        assert not running.publisher.health().good
        assert running.failures("unavailable") == 1


async def test_records_are_sent_in_order_and_waited_for_to_the_last() -> None:
    async with running_publisher() as running:
        await running.until_well()
        (producer,) = running.made
        publishing = asyncio.create_task(running.publisher(_records(b"1", b"2", b"3")))
        for _ in range(2):
            await producer.acknowledge()
        await asyncio.sleep(0.05)
        waited = not publishing.done()
        await producer.acknowledge()
        await publishing

        assert waited
        assert [value for value, _ in producer.sent] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), ProducerFenced()])
async def test_a_producer_that_cannot_go_on_is_replaced(error: KafkaError) -> None:
    async with running_publisher() as running:
        await running.until_well()
        first = running.made[0]
        publishing = asyncio.create_task(running.publisher(_records(b"1", b"2")))
        await first.acknowledge()
        await first.acknowledge(error)
        with pytest.raises(NotDurable, match=type(error).__name__):
            await publishing
        await running.until(lambda: len(running.made) == 2)
        await running.until_well()
        again = asyncio.create_task(running.publisher(_records(b"2")))
        await running.made[1].acknowledge()
        await again

        assert first.stopped
        assert running.failures("rejected") == 1


@pytest.mark.parametrize("error", [MessageSizeTooLargeError(), TopicAuthorizationFailedError()])
async def test_a_record_that_is_refused_leaves_the_producer_in_its_place(
    error: KafkaError,
) -> None:
    async with running_publisher(ToldProducer(send_raises=error)) as running:
        await running.until_well()
        with pytest.raises(NotDurable, match=type(error).__name__):
            await running.publisher(_records(b"1"))
        await asyncio.sleep(0.1)

        assert running.publisher.health().good
        assert len(running.made) == 1


async def test_a_record_that_was_given_up_is_still_written_and_its_late_word_is_heard() -> None:
    async with running_publisher() as running:
        await running.until_well()
        (producer,) = running.made
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.publisher(_records(b"1"))
        await running.until_well(well=False)
        silent = running.publisher.health().detail
        given_up = producer.sent[0][1].cancelled()
        await producer.acknowledge()
        await running.until_well()

        assert silent.startswith("no acknowledgement for")
        assert not given_up
        assert len(running.made) == 1
        assert running.failures("deadline") == 1


async def test_a_late_error_of_a_record_that_was_given_up_disturbs_nobody() -> None:
    async with running_publisher() as running:
        await running.until_well()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.publisher(_records(b"1"))
        await running.made[0].acknowledge(KafkaConnectionError())
        await asyncio.sleep(0.05)

        assert not running.publisher.health().good


async def test_a_producer_that_stays_silent_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "SILENCE_SECONDS", 0.1)
    async with running_publisher() as running:
        await running.until_well()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.publisher(_records(b"1"))
        await running.until(lambda: len(running.made) == 2)
        await running.until_well()


@pytest.mark.parametrize(
    "broken",
    [
        ToldProducer(start_raises=KafkaConnectionError()),
        ToldProducer(start_raises=OSError()),
        ToldProducer(
            start_raises=UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a token that is none")
        ),
        ToldProducer(start_raises=RuntimeError()),
        ToldProducer(hangs="start"),
        ToldProducer(probe_raises=RuntimeError()),
        ToldProducer(start_raises=OSError(), stop_raises=RuntimeError()),
    ],
)
async def test_another_producer_is_tried_whatever_the_first_one_died_of(
    broken: ToldProducer,
) -> None:
    async with running_publisher(broken) as running:
        await running.until(lambda: len(running.made) == 2)
        await running.until_well()

        assert broken.stopped


@pytest.mark.parametrize(
    ("silent", "detail"),
    [
        (ToldProducer(hangs="probe"), "the broker does not answer: TimeoutError"),
        (ToldProducer(probe_raises=KafkaConnectionError()), "the broker does not answer"),
        (ToldProducer(topics=("payment",)), "no such topic, or no leader for it: quarantine"),
    ],
)
async def test_the_health_says_what_is_missing(silent: ToldProducer, detail: str) -> None:
    async with running_publisher(silent) as running:
        await running.until(lambda: running.publisher.health().detail.startswith(detail))

        assert not running.publisher.health().good


async def test_a_producer_that_never_stops_is_left_behind() -> None:
    stack = AsyncExitStack()
    running = await stack.enter_async_context(running_publisher(ToldProducer(hangs="stop")))
    await running.until_well()

    ending = asyncio.create_task(stack.aclose())
    ended, _ = await asyncio.wait([ending], timeout=20)

    assert ended == {ending}
    assert not running.made[0].stopped
