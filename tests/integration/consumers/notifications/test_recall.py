"""What the outcomes report as sent is not sent again, and nothing else is left out."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.reading import resend
from consumers.notifications.rules import message_id
from consumers.notifications.sending.recall import recall_sent
from consumers.notifications.tables import SCHEMA, SENT_BEFORE
from router.contract.outcome import OutcomeEvent
from tests.parts.notifications.desk import applied, messages, run, states, told
from tests.parts.notifications.receivers import hook
from tests.parts.notifications.sending import HOOKED, dispatcher, drained, written

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def outcome(message: object, attempts: int, word: str = "notification.sent") -> OutcomeEvent:
    return OutcomeEvent(
        id=uuid4(),
        type=word,
        account="shop-eu",
        reference="A-1",
        at=AT,
        data={"message": str(message), "attempts": attempts},
    )


async def recalled(desk: AsyncEngine, *outcomes: OutcomeEvent) -> int:
    async with desk.begin() as transaction:
        return await recall_sent(transaction, outcomes)


async def only_message(desk: AsyncEngine) -> UUID:
    (row,) = await messages(desk)
    return UUID(str(row.id))


async def test_message_that_was_pending_in_the_backup_and_sent_since_is_not_sent_again(
    desk: AsyncEngine,
) -> None:
    await written(desk, 1)
    assert await recalled(desk, outcome(await only_message(desk), 1)) == 1
    async with hook() as receiver:
        await drained(desk, dispatcher(receiver.url))
    assert receiver.keys == []
    (row,) = await messages(desk)
    assert (row.state, row.attempts, row.sent_at) == ("sent", 1, AT)


async def test_message_that_was_created_and_sent_since_the_backup_is_not_sent_again(
    desk: AsyncEngine,
) -> None:
    events = [told("payment.confirmed", provider_reference=f"P-{n}") for n in range(3)]
    sent = [message_id(each.id, "hook", "on-call") for each in events[:2]]
    assert await recalled(desk, *(outcome(each, 2) for each in sent), outcome(uuid4(), 1)) == 3
    assert await recalled(desk, outcome(sent[0], 2)) == 0  # at the next start
    async with hook() as receiver:
        await applied(desk, HOOKED, *events)
        await drained(desk, dispatcher(receiver.url))
        assert receiver.keys == [str(message_id(events[2].id, "hook", "on-call"))]
        assert await states(desk) == ["sent"] * 3
        # An operator who asks for it gets it again.
        async with desk.begin() as transaction:
            assert await resend(transaction, sent[:1]) == sent[:1]
        await drained(desk, dispatcher(receiver.url))
    assert len(receiver.keys) == 2
    async with desk.connect() as connection:
        left = await connection.scalar(select(func.count()).select_from(SENT_BEFORE))
    assert left == 1  # a message of an event that was not applied again


async def test_outcomes_of_stored_attempts_change_nothing(desk: AsyncEngine) -> None:
    await written(desk, 1)
    mine = await only_message(desk)
    async with hook() as receiver:
        await drained(desk, dispatcher(receiver.url))
        async with desk.begin() as transaction:
            await resend(transaction, [mine])
        # Asked for after its first attempt was sent: that one's outcome must not stop it.
        assert await recalled(desk, outcome(mine, 1)) == 0
        await drained(desk, dispatcher(receiver.url))
    assert len(receiver.keys) == 2


async def test_message_that_was_leased_in_the_backup_is_settled_by_the_outcome_of_that_attempt(
    desk: AsyncEngine,
) -> None:
    await written(desk, 1)
    leased = "state = 'leased', attempts = 3, lease_until = now() + interval '1 h'"
    await run(desk, f"UPDATE {SCHEMA}.message SET {leased}")
    mine = await only_message(desk)
    assert await recalled(desk, outcome(mine, 2)) == 0
    assert await recalled(desk, outcome(mine, 3)) == 1
    assert await states(desk) == ["sent"]


@pytest.mark.parametrize(
    "other",
    [
        outcome(uuid4(), 1, word="notification.failed"),
        outcome("no id", 1),
        outcome(uuid4(), 1).model_copy(update={"data": {}}),
    ],
    ids=["failed", "no id", "empty"],
)
async def test_other_outcomes_report_no_message(desk: AsyncEngine, other: OutcomeEvent) -> None:
    assert await recalled(desk, other) == 0


async def test_two_dispatchers_settle_each_message_once(desk: AsyncEngine) -> None:
    events = [told("payment.confirmed", provider_reference=f"P-{n}") for n in range(50)]
    await recalled(desk, *(outcome(message_id(e.id, "hook", "on-call"), 1) for e in events))
    await applied(desk, HOOKED, *events)
    async with hook() as receiver:
        await asyncio.gather(*(drained(desk, dispatcher(receiver.url)) for _ in range(4)))
    assert receiver.keys == []
    assert await states(desk) == ["sent"] * 50
