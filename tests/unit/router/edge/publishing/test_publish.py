"""The publisher with producers that fail in the ways of aiokafka's."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownError,
)
from structlog.testing import capture_logs

from router.contract.wire import OutgoingRecord
from router.edge.publishing import publish
from router.edge.publishing.record_room import RecordRoom
from router.errors import NotDurable
from tests.parts.edge.producers import QUICK, ScriptedProducer, running_publisher


@pytest.fixture(autouse=True)
def _unlogged() -> Iterator[None]:
    with capture_logs():
        yield


def _records(*values: bytes) -> list[OutgoingRecord]:
    return [OutgoingRecord("payment", b"k", value, [("ce_type", b"x")]) for value in values]


async def test_nothing_is_durable_before_there_is_a_producer() -> None:
    async with running_publisher(ScriptedProducer(hangs="start")) as running:
        with pytest.raises(NotDurable, match="no connection"):
            await running.publisher(_records(b"1"))

        assert not running.publisher.health().good
        assert running.failures("unavailable") == 1


async def test_records_are_sent_in_order_and_all_awaited() -> None:
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
async def test_record_of_a_failed_producer_is_sent_by_the_next_one(
    error: KafkaError,
) -> None:
    async with running_publisher() as running:
        await running.until_well()
        first = running.made[0]
        publishing = asyncio.create_task(running.publisher(_records(b"1", b"2")))
        await first.acknowledge()
        await first.acknowledge(error)
        await running.until(lambda: len(running.made) == 2)
        await running.made[1].acknowledge()
        await publishing

        assert [value for value, _ in running.made[1].sent] == [b"2"]
        assert first.stopped
        assert running.failures("rejected") == 0


async def test_delivery_is_refused_if_no_producer_accepts_it() -> None:
    failing = [ScriptedProducer(send_raises=ProducerFenced()) for _ in range(publish.TRIES)]
    async with running_publisher(*failing) as running:
        await running.until_well()
        with pytest.raises(NotDurable, match="producers in a row failed"):
            await running.publisher(_records(b"1"))

        assert running.failures("rejected") == 1


async def test_oversized_record_does_not_affect_the_producer_or_readiness() -> None:
    error = MessageSizeTooLargeError()
    async with running_publisher(ScriptedProducer(send_raises=error)) as running:
        await running.until_well()
        with pytest.raises(NotDurable, match=type(error).__name__):
            await running.publisher(_records(b"1"))

        assert running.publisher.health().good
        assert running.made[0].alone == [b"1"]
        assert len(running.made) == 1
        with pytest.raises(NotDurable, match="topic payment has already refused"):
            await running.publisher(_records(b"1"))


async def test_a_record_refused_with_its_batch_is_sent_again_alone() -> None:
    async with running_publisher() as running:
        await running.until_well()
        (producer,) = running.made
        publishing = asyncio.create_task(running.publisher(_records(b"1")))
        await producer.acknowledge(MessageSizeTooLargeError())
        await producer.acknowledge()
        await publishing

        assert producer.alone == [b"1"]
        assert running.failures("rejected") == 0


async def test_unknown_broker_error_is_retried_with_another_producer() -> None:
    async with running_publisher() as running:
        await running.until_well()
        publishing = asyncio.create_task(running.publisher(_records(b"1")))
        await running.made[0].acknowledge(UnknownError())
        await running.until(lambda: len(running.made) == 2)
        await running.made[1].acknowledge(UnknownError())
        with pytest.raises(NotDurable, match="UnknownError"):
            await publishing

        assert running.made[1].alone == [b"1"]


async def test_refusing_topic_makes_the_edge_unready_until_it_accepts_the_record() -> None:
    async with running_publisher() as running:
        await running.until_well()
        (producer,) = running.made
        publishing = asyncio.create_task(running.publisher(_records(b"1")))
        await producer.acknowledge(TopicAuthorizationFailedError())
        with pytest.raises(NotDurable, match="TopicAuthorizationFailedError"):
            await publishing
        refused = running.publisher.health()
        # Without traffic: the publisher retries by itself.
        await producer.acknowledge(TopicAuthorizationFailedError())
        still = running.publisher.health()
        await producer.acknowledge()
        await running.until_well()

        assert not refused.good
        assert "topic payment: TopicAuthorizationFailedError" in refused.detail
        assert not still.good
        assert producer.alone == [b"1", b"1"]
        assert len(running.made) == 1


async def test_record_too_large_for_its_topic_is_not_sent() -> None:
    async with running_publisher(room=RecordRoom(1024, lambda _topic: 80)) as running:
        await running.until_well()
        with pytest.raises(NotDurable, match="too large"):
            await running.publisher(_records(b"x" * 80))

        assert running.failures("too_large") == 1
        assert running.publisher.health().good
        assert running.made[0].sent == []


async def test_late_acknowledgement_of_an_abandoned_record_is_processed() -> None:
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


async def test_late_error_of_an_abandoned_record_affects_no_other() -> None:
    async with running_publisher() as running:
        await running.until_well()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.publisher(_records(b"1"))
        await running.made[0].acknowledge(KafkaConnectionError())
        await asyncio.sleep(0.05)

        assert not running.publisher.health().good


async def test_a_producer_that_stays_silent_is_replaced() -> None:
    async with running_publisher(timing=replace(QUICK, silence_seconds=0.1)) as running:
        await running.until_well()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.publisher(_records(b"1"))
        await running.until(lambda: len(running.made) == 2)
        await running.until(lambda: bool(running.made[1].alone))
        unproved = running.publisher.health()
        await running.made[1].acknowledge()
        await running.until_well()

        assert not unproved.good
        assert "of a record that is sent again" in unproved.detail


@pytest.mark.parametrize(
    "broken",
    [
        ScriptedProducer(start_raises=KafkaConnectionError()),
        ScriptedProducer(start_raises=OSError()),
        ScriptedProducer(
            start_raises=UnicodeDecodeError("utf-8", b"\xff", 0, 1, "malformed token")
        ),
        ScriptedProducer(start_raises=RuntimeError()),
        ScriptedProducer(hangs="start"),
        ScriptedProducer(probe_raises=RuntimeError()),
        ScriptedProducer(start_raises=OSError(), stop_raises=RuntimeError()),
    ],
)
async def test_another_producer_is_tried_after_any_error(
    broken: ScriptedProducer,
) -> None:
    async with running_publisher(broken) as running:
        await running.until(lambda: len(running.made) == 2)
        await running.until_well()

        assert broken.stopped


@pytest.mark.parametrize(
    ("silent", "detail"),
    [
        (ScriptedProducer(hangs="probe"), "the broker does not answer: no answer in time"),
        (ScriptedProducer(probe_raises=KafkaConnectionError()), "the broker does not answer"),
        (ScriptedProducer(topics=("payment",)), "no such topic: quarantine"),
    ],
)
async def test_health_names_the_problem(silent: ScriptedProducer, detail: str) -> None:
    async with running_publisher(silent) as running:
        await running.until(lambda: running.publisher.health().detail.startswith(detail))

        assert not running.publisher.health().good


async def test_producer_that_never_stops_is_abandoned() -> None:
    stack = AsyncExitStack()
    running = await stack.enter_async_context(running_publisher(ScriptedProducer(hangs="stop")))
    await running.until_well()

    ending = asyncio.create_task(stack.aclose())
    ended, _ = await asyncio.wait([ending], timeout=20)

    assert ended == {ending}
    assert not running.made[0].stopped
