"""Steps of a trace, and metrics."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.measures import MEASURES
from consumers.notifications.tables import SCHEMA
from consumers.notifications.trail import trail
from consumers.runtime.service import MeasureReading
from consumers.runtime.trail import TrailQuery, TrailStep
from tests.parts.notifications.desk import applied, options, run, told
from tests.parts.notifications.receivers import hook
from tests.parts.notifications.sending import HOOKED, dispatcher, drained

EVENT = told("payment.confirmed", tx_hash="0x7614")


async def found(desk: AsyncEngine, text: str, **more: frozenset[object]) -> Sequence[TrailStep]:
    async with desk.connect() as connection:
        return await trail(connection, TrailQuery(text, **more))  # type: ignore[arg-type]


async def test_a_message_is_found_by_each_identifier_of_its_payment(desk: AsyncEngine) -> None:
    other = told("payment.confirmed", reference="B-1", provider_reference="9", account="shop-us")
    await applied(desk, HOOKED, EVENT, other)
    for text in ("A-1", "8210003616", "0x7614", str(EVENT.id)):
        (step,) = await found(desk, text)
        assert step.event_id == EVENT.id, text
        assert step.order == ("shop-eu", "A-1")
        assert step.what == "message pending"
    (step,) = await found(desk, "x", event_ids=frozenset({other.id}))
    assert step.event_id == other.id
    (step,) = await found(desk, "x", orders=frozenset({("shop-us", "B-1")}))
    assert step.event_id == other.id
    assert await found(desk, "x", orders=frozenset({("shop-eu", "B-1")})) == []
    assert await found(desk, str(uuid4())) == []


async def test_a_step_shows_the_state_and_marks_failures_as_trouble(desk: AsyncEngine) -> None:
    await applied(desk, HOOKED, EVENT, told("payment.refunded"))
    async with hook(200, 422) as receiver:
        await drained(desk, dispatcher(receiver.url, at_once=1))
    steps = {step.what: step for step in await found(desk, "A-1")}
    assert steps.keys() == {"message sent", "message failed"}
    assert not steps["message sent"].trouble
    assert steps["message failed"].trouble
    assert steps["message failed"].facts["error"] == "HTTP 422"
    assert steps["message sent"].facts["to"] == "on-call"


async def measured(desk: AsyncEngine) -> list[MeasureReading]:
    async with desk.connect() as connection:
        return [await each.read(connection) for each in MEASURES]


async def test_metrics_have_the_pending_and_failed_counts_and_the_oldest_age(
    desk: AsyncEngine,
) -> None:
    assert await measured(desk) == [0, 0, 0]
    await applied(desk, options(), told("payment.confirmed"))
    age = f"UPDATE {SCHEMA}.message SET created_at = now() - interval '1 hour'"
    await run(desk, age)
    assert await measured(desk) == [1, 0, 0], "it waits for an address, not for its channel"
    await applied(desk, HOOKED, told("payout.failed"))
    await run(desk, age)
    assert await measured(desk) == [2, 3600, 0]
    async with hook(422) as receiver:
        await drained(desk, dispatcher(receiver.url))
    assert await measured(desk) == [1, 0, 1]


def test_metrics_have_unique_names() -> None:
    assert all(each.name.startswith("payrouter_notifications_") for each in MEASURES)
