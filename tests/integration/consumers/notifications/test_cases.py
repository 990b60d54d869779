"""A message that failed for good is a case, until it is sent."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.reading import resend
from consumers.notifications.service import SERVICE
from consumers.notifications.tables import SCHEMA
from consumers.runtime.casebook.reading import CaseFilter, read_cases
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.configured import Consumer
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.notifications.desk import applied, run, told
from tests.parts.notifications.receivers import hook
from tests.parts.notifications.sending import HOOKED, dispatcher, drained


async def cases(desk: AsyncEngine) -> Sequence[StoredCase]:
    settings = ConsumerSettings(SERVICE.name, connection_to(), SecretStr(""), Topics(), Tuning())
    async with desk.connect() as connection:
        return (await read_cases(connection, Consumer(SERVICE, settings), CaseFilter())).cases


async def test_message_that_failed_is_a_case_of_its_order_until_it_is_sent(
    desk: AsyncEngine,
) -> None:
    await applied(desk, HOOKED, told("payment.confirmed"))
    assert await cases(desk) == []
    async with hook(422) as receiver:
        await drained(desk, dispatcher(receiver.url))

    (first,) = await cases(desk)

    assert first.kind.name == "message-failed"
    assert first.order == ("shop-eu", "A-1")
    assert first.facts == {
        "message": first.subject,
        "about": "payment.confirmed",
        "to": "on-call",
        "channel": "hook",
        "tries": "1",
        "error": "HTTP 422",
    }
    async with desk.begin() as transaction:
        await resend(transaction, [UUID(first.subject)])
    assert await cases(desk) == []
    async with hook(422) as receiver:
        await drained(desk, dispatcher(receiver.url))
    (again,) = await cases(desk)
    assert again.digest != first.digest
    await run(desk, f"UPDATE {SCHEMA}.message SET state = 'sent'")
    assert await cases(desk) == []
