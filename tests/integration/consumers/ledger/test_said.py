"""`ledger.posted` is published once per transaction, within it, and contains only amounts."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import TRANSACTION
from consumers.ledger.handler import handle
from consumers.ledger.options import LedgerOptions
from consumers.ledger.service import SERVICE
from consumers.runtime.service import Setup
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.outcome import OutcomeEvent
from router.contract.topics import Topics
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.told import told

OUTBOX = RuntimeTables.of("ledger").outbox


async def said(ledger: AsyncEngine) -> Sequence[Any]:
    async with ledger.connect() as connection:
        return (await connection.execute(select(OUTBOX).order_by(OUTBOX.c.id))).all()


async def test_a_transaction_publishes_its_number_and_lines(ledger: AsyncEngine) -> None:
    event = told(
        "payment.confirmed",
        "100.50",
        customer={"id": "C-1", "email": "payer@example.com"},
        from_address="0xpayer",
    )
    await applied(ledger, event)
    (row,) = await said(ledger)
    outcome = OutcomeEvent.model_validate_json(row.value)
    async with ledger.connect() as connection:
        transaction = (await connection.execute(select(TRANSACTION))).one()
    assert (outcome.type, outcome.event_id) == ("ledger.posted", event.id)
    assert (outcome.account, outcome.reference) == ("shop-eu", "order of P-1")
    assert (outcome.provider, outcome.provider_reference) == ("blockatm", "P-1")
    assert outcome.at == transaction.posted_at
    assert outcome.data == {
        "transaction": transaction.id,
        "event_type": "payment.confirmed",
        "lines": 2,
        "line_1_account": "shop-eu:blockatm:wallet:Ethereum",
        "line_1_network": "Ethereum",
        "line_1_currency": "USDT",
        "line_1_amount": "100.50",
        "line_2_account": "shop-eu:blockatm:payments",
        "line_2_network": "Ethereum",
        "line_2_currency": "USDT",
        "line_2_amount": "-100.50",
    }
    assert (row.topic, row.key) == ("ledger.outcome", event.key)
    for secret in (b"C-1", b"payer"):
        assert secret not in row.value


async def test_an_event_without_postings_publishes_nothing(ledger: AsyncEngine) -> None:
    event = told("payment.confirmed", "100")
    await applied(ledger, event, told("payment.failed"), told("payment.pending", payment="P-2"))
    await applied(ledger, event)
    assert len(await said(ledger)) == 1


async def test_the_outcome_id_is_the_same_in_every_database(ledger: AsyncEngine) -> None:
    async def ids(event: Event) -> list[str]:
        async with ledger.connect() as connection:
            await handle(connection, [event])
            rows = await connection.execute(select(OUTBOX.c.value))
            found = [json.loads(row.value)["id"] for row in rows]
            await connection.rollback()
        return found

    event, other = told("payment.confirmed", "100"), told("payment.confirmed", "100")
    assert await ids(event) == await ids(event)
    assert await ids(event) != await ids(other)
    assert await said(ledger) == []


async def test_the_outcome_is_published_on_the_configured_topic(ledger: AsyncEngine) -> None:
    actions = SERVICE.actions(Setup(LedgerOptions(), Topics("shop.")))
    async with ledger.begin() as transaction:
        await actions.handle(transaction, [told("payment.confirmed", "100")])
    (row,) = await said(ledger)
    assert row.topic == "shop.ledger.outcome"
    assert SERVICE.says_outcomes
