"""The ledger's cases are read by its declaration, and end with the facts that settle them."""

from collections.abc import Sequence

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.service import SERVICE
from consumers.runtime.casebook.reading import CaseFilter, read_cases
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.configured import Consumer
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.told import told


async def cases(ledger: AsyncEngine) -> Sequence[StoredCase]:
    settings = ConsumerSettings(SERVICE.name, connection_to(), SecretStr(""), Topics(), Tuning())
    async with ledger.connect() as connection:
        return (await read_cases(connection, Consumer(SERVICE, settings), CaseFilter())).cases


async def test_payment_without_an_amount_is_a_case_until_the_amount_is_reported(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.confirmed"))

    (found,) = await cases(ledger)

    assert (found.kind.name, found.consumer) == ("amount-unknown", "ledger")
    assert found.account is not None
    assert found.provider_reference is not None
    await applied(ledger, told("payment.confirmed", "100"))
    assert await cases(ledger) == []


async def test_payment_called_off_after_it_was_paid_is_a_case(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "100"), told("payment.failed"))

    assert [each.kind.name for each in await cases(ledger)] == ["called-off-after-paid"]
