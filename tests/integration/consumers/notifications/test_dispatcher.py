"""Sending to real receivers: back-off, maximum attempts, time-outs, outcomes, failing texts."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from consumers.notifications.sending.apprise_channel import SendResult, SendStatus
from consumers.notifications.sending.dispatcher import Dispatcher
from consumers.notifications.sending.leases import Leased
from consumers.notifications.sending.rendering import Rendered, open_texts
from consumers.notifications.tables import SCHEMA
from tests.parts.contract.orders import order
from tests.parts.notifications.desk import (
    EMAIL,
    applied,
    limits,
    messages,
    options,
    rule,
    run,
    said,
    states,
    told,
)
from tests.parts.notifications.receivers import HANG, hook, post_office
from tests.parts.notifications.sending import (
    HOOKED,
    TOPIC,
    dispatcher,
    drained,
    due_now,
    lease_over,
    written,
)

SAID = text(f"SELECT convert_from(value, 'UTF8') FROM {SCHEMA}.outbox")


async def test_a_webhook_is_sent_once_and_its_message_is_marked_sent(desk: AsyncEngine) -> None:
    await written(desk, 1)
    async with hook() as receiver:
        sender = dispatcher(receiver.url)
        assert await sender.run(desk)
        assert not await sender.run(desk)
    (row,) = await messages(desk)
    assert receiver.keys == [str(row.id)]
    assert (row.state, row.attempts, row.last_error, row.lease_until) == ("sent", 1, None, None)
    assert row.sent_at >= row.created_at
    assert "2000.00 USDT" in receiver.requests[0].json["title"]
    assert await said(desk) == [(TOPIC, "notification.sent")]


async def test_a_customer_is_mailed_in_the_language_of_the_order(desk: AsyncEngine) -> None:
    await applied(desk, options(), told("payment.confirmed", amount="100.50"))
    async with post_office() as office:
        sender = dispatcher(office.url, "mail")
        assert not await sender.run(desk), "it waits for the address"
        await applied(desk, options(), order(customer={"email": EMAIL, "language": "de-AT"}))
        await drained(desk, sender)
    (mail,) = office.mails
    assert mail.recipients == [EMAIL]
    assert mail.message["Subject"] == "Ihre Zahlung für A-1 ist eingegangen"
    assert "100.50 USDT" in mail.message.get_content()
    (row,) = await messages(desk)
    assert mail.message["X-Idempotency-Key"] == str(row.id)


async def test_a_failed_message_is_retried_after_a_pause_with_the_same_key(
    desk: AsyncEngine,
) -> None:
    await written(desk, 1)
    async with hook(500) as receiver:
        sender = dispatcher(receiver.url, retry_seconds=3600)
        await drained(desk, sender)
        (row,) = await messages(desk)
        assert (row.state, row.attempts, row.last_error) == ("pending", 1, "HTTP 500")
        pause = row.due_at - row.created_at
        assert timedelta(minutes=29) < pause < timedelta(minutes=61)
        assert len(receiver.requests) == 1
        await due_now(desk)
        await drained(desk, sender)
    (row,) = await messages(desk)
    assert (row.state, row.attempts, row.last_error) == ("sent", 2, None)
    assert receiver.keys == [str(row.id)] * 2


def test_pauses_grow_to_a_maximum_and_have_jitter() -> None:
    sender = dispatcher("json://127.0.0.1", retry_seconds=4, retry_longest_seconds=60)
    for tries, longest in ((1, 4), (2, 8), (4, 32), (5, 60), (100, 60)):
        pauses = {sender._pause(tries) for _ in range(50)}  # noqa: SLF001 - a pure function
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


async def test_a_message_fails_after_its_last_attempt_with_the_reason(desk: AsyncEngine) -> None:
    await written(desk, 1)
    async with hook(*[503] * 9) as receiver:
        sender = dispatcher(receiver.url, attempts=3)
        for _ in range(5):
            await drained(desk, sender)
            await due_now(desk)
        assert len(receiver.requests) == 3
    (row,) = await messages(desk)
    assert (row.state, row.last_error) == ("failed", "HTTP 503, after 3 attempts")
    assert row.failed_at is not None
    assert await said(desk) == [(TOPIC, "notification.failed")]


async def test_a_permanently_refused_message_is_not_retried(desk: AsyncEngine) -> None:
    await written(desk, 1)
    async with hook(422) as receiver:
        sender = dispatcher(receiver.url)
        await drained(desk, sender)
        await due_now(desk)
        await drained(desk, sender)
        assert len(receiver.requests) == 1
    (row,) = await messages(desk)
    assert (row.state, row.last_error) == ("failed", "HTTP 422")


async def test_a_hanging_receiver_times_out_and_the_message_is_retried(
    desk: AsyncEngine,
) -> None:
    await written(desk, 1)
    async with hook(HANG) as receiver:
        await dispatcher(receiver.url, timeout_seconds=0.3).run(desk)
        (row,) = await messages(desk)
        assert row.state == "pending"
        assert row.last_error.startswith("no answer ")
        await due_now(desk)
        await drained(desk, dispatcher(receiver.url))
    assert await states(desk) == ["sent"]
    assert len(set(receiver.keys)) == 1


async def test_a_channel_that_never_returns_times_out_and_occupies_few_threads(
    desk: AsyncEngine,
) -> None:
    await written(desk, 3)
    stuck = asyncio.Event()
    loop = asyncio.get_running_loop()

    def send(_leased: Leased, _rendered: Rendered, _key: str) -> SendResult:
        asyncio.run_coroutine_threadsafe(stuck.wait(), loop).result()
        return SendResult(SendStatus.SENT)

    allowed = limits(timeout_seconds=0.2, at_once=2, retry_seconds=0.001)
    sender = Dispatcher("hook", allowed, send, open_texts(None), TOPIC)
    assert await sender.run(desk)
    assert not await sender.run(desk), "both threads are still away"
    assert len(sender.busy) == 2
    rows = await messages(desk)
    assert sorted(row.attempts for row in rows) == [0, 1, 1]
    assert {row.last_error for row in rows} == {None, "no answer within 0.2 s"}
    stuck.set()


async def test_a_slow_channel_blocks_neither_the_event_loop_nor_another_channel(
    desk: AsyncEngine,
) -> None:
    await applied(
        desk,
        options([rule("payment.*", "on-call", "hook", "mail")]),
        told("payment.confirmed"),
    )
    async with hook(HANG) as slow, post_office() as office:
        hanging = asyncio.create_task(dispatcher(slow.url, timeout_seconds=60).run(desk))
        await slow.arrived.wait()
        await drained(desk, dispatcher(office.url, "mail"))
        assert len(office.mails) == 1
        assert not hanging.done()
    await hanging


async def test_a_stopped_dispatcher_marks_messages_in_flight(desk: AsyncEngine) -> None:
    await written(desk, 1)
    go_on = asyncio.Event()
    sent = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slowly() -> None:
        sent.set()
        await go_on.wait()

    def send(_leased: Leased, _rendered: Rendered, _key: str) -> SendResult:
        asyncio.run_coroutine_threadsafe(slowly(), loop).result()
        return SendResult(SendStatus.SENT)

    sender = Dispatcher("hook", limits(), send, open_texts(None), TOPIC)
    running = asyncio.create_task(sender.run(desk))
    await sent.wait()
    running.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await states(desk) == ["sent"]


async def test_a_failing_text_fails_only_its_message_with_the_reason(
    desk: AsyncEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "en" / "operator"
    folder.mkdir(parents=True)
    (folder / "payout.failed.txt").write_text("Subject: x\n\n{{ nonsense }}\n")
    await written(desk, 1)
    await applied(desk, HOOKED, told("payout.failed"))
    async with hook() as receiver:
        with capture_logs() as log:
            await drained(desk, dispatcher(receiver.url, texts=open_texts(tmp_path)))
    rows = {row.kind: row for row in await messages(desk)}
    assert rows["payment.confirmed"].state == "sent"
    assert rows["payout.failed"].state == "failed"
    assert "payout.failed.txt:3: 'nonsense' is undefined" in rows["payout.failed"].last_error
    assert [line["state"] for line in log if line["log_level"] == "warning"] == ["failed"]


async def test_the_log_line_of_a_message_has_no_address(desk: AsyncEngine) -> None:
    await applied(desk, options(), told("payment.confirmed", customer={"email": EMAIL}))
    async with post_office("550 unknown: ann@example.com") as office:
        with capture_logs() as log:
            await drained(desk, dispatcher(office.url, "mail"))
    assert [line["event"] for line in log] == ["message"]
    assert EMAIL not in str(log)
    (row,) = await messages(desk)
    assert (row.state, row.last_error) == ("failed", "SMTP 550")


async def test_a_lost_lease_marks_and_publishes_nothing(desk: AsyncEngine) -> None:
    await written(desk, 1)
    async with hook() as receiver:
        second = dispatcher(receiver.url)
        loop = asyncio.get_running_loop()

        async def overtaken() -> None:
            await lease_over(desk)
            await drained(desk, second)

        def send(_leased: Leased, _rendered: Rendered, _key: str) -> SendResult:
            asyncio.run_coroutine_threadsafe(overtaken(), loop).result()
            return SendResult(SendStatus.SENT)

        with capture_logs() as log:
            await Dispatcher("hook", limits(), send, open_texts(None), TOPIC).run(desk)
    assert [line["state"] for line in log] == ["sent", "lease lost"]
    assert await said(desk) == [(TOPIC, "notification.sent")]
    (row,) = await messages(desk)
    assert row.attempts == 2


async def test_a_message_whose_senders_die_each_time_fails_after_its_last_attempt(
    desk: AsyncEngine,
) -> None:
    await written(desk, 1)
    await run(desk, f"UPDATE {SCHEMA}.message SET attempts = 3")
    async with hook() as receiver:
        await drained(desk, dispatcher(receiver.url, attempts=3))
    assert receiver.requests == []
    (row,) = await messages(desk)
    assert (row.state, row.last_error) == ("failed", "no result after 3 attempts")


async def test_a_suspended_process_does_not_send_a_message_that_others_may_have_leased(
    desk: AsyncEngine,
) -> None:
    await written(desk, 1)
    async with hook() as receiver:
        sender = replace(dispatcher(receiver.url), margin_seconds=-1.0)
        await sender.run(desk)
    assert receiver.requests == []
    (row,) = await messages(desk)
    assert row.last_error == "too little time left in the lease"


async def test_an_outcome_has_its_message_and_no_address(desk: AsyncEngine) -> None:
    event = told("payment.confirmed", customer={"email": EMAIL})
    await applied(desk, options(), event)
    async with post_office() as office:
        await drained(desk, dispatcher(office.url, "mail"))
    async with desk.connect() as connection:
        (value,) = await connection.scalars(SAID)
    (row,) = await messages(desk)
    assert f'"event_id":"{event.id}"' in value
    assert f'"message":"{row.id}"' in value
    assert EMAIL not in value
    assert isinstance(row.id, UUID)
