"""The ledger's part of a trace: the steps of an event, and the searches that find it."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import EVENT, TRANSFER
from consumers.ledger.handler import handle
from consumers.ledger.service import SERVICE
from consumers.ledger.trail import matches
from consumers.ledger.transfers.acting import post_requested
from consumers.ledger.transfers.request import Movement, TransferRequest
from consumers.ledger.transfers.trail import named
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.trail import TrailQuery, TrailStep
from router.contract.event import Event
from router.terminal.operator_name import operator_name
from tests.parts.ledger.asked import settings as settings_of
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.told import MOMENT, recorded, told
from tests.parts.ledger.transferring import OVERPAID, PAYMENTS, SUSPENSE

PAYMENT = Partition("payment", 2)
TX = "0x7614a984"


async def found(ledger: AsyncEngine, sought: TrailQuery) -> Sequence[TrailStep]:
    assert SERVICE.trail is not None
    async with ledger.connect() as connection:
        return await SERVICE.trail(connection, sought)


async def words(ledger: AsyncEngine, text: str) -> list[str]:
    return [step.what for step in await found(ledger, TrailQuery(text))]


async def consumed(ledger: AsyncEngine, *events: Event) -> None:
    """Apply events as records, so that the runtime stores their offsets."""
    applier = Applier(StoredBooks(ledger, SERVICE, "cluster"), SERVICE, handle)
    fences = await applier.fences({PAYMENT: 55})
    batch = [
        Decoded(Record(PAYMENT, 55 + number, 1, event.key, b"", []), event)
        for number, event in enumerate(events)
    ]
    await applier.apply(batch, fences)


async def test_an_operators_amount_has_its_author_and_reason(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "100"), recorded("payment.confirmed", "90"))
    authors = [
        step.facts
        for step in await found(ledger, TrailQuery("P-1"))
        if step.what == "delivered" and step.facts["gateway"] == "operator"
    ]
    assert authors == [{"gateway": "operator", "recorded by": "anna", "reason": "seen on chain"}]


async def test_a_posted_event_has_steps_with_its_offset_and_lines(ledger: AsyncEngine) -> None:
    event = told("payment.confirmed", "100.50", tx_hash=TX)
    await consumed(ledger, event)
    delivered, recorded, posted = await found(ledger, TrailQuery("P-1"))
    assert (delivered.what, recorded.what, posted.what) == ("delivered", "recorded", "posted")
    assert delivered.at == MOMENT
    assert delivered.facts == {
        "endpoint": "blockatm-main",
        "gateway": "blockatm",
        "signature": "none",
    }
    assert recorded.facts == {
        "type": "payment.confirmed",
        "amount": "100.50 USDT",
        "network": "Ethereum",
        "account": "shop-eu",
        "payment": "P-1",
        "tx": TX,
        "offset": "payment-2@55",
    }
    assert posted.facts["line 2"] == "shop-eu:blockatm:payments -100.50 USDT"
    for step in (delivered, recorded, posted):
        assert (step.event_id, step.order) == (event.id, ("shop-eu", "order of P-1"))
        assert not step.trouble


async def test_unread_fields_and_test_money_are_shown(ledger: AsyncEngine) -> None:
    await consumed(
        ledger, told("payment.confirmed", "1", test=True, unread=["occurred_at", "customer.email"])
    )
    _, recorded, _ = await found(ledger, TrailQuery("P-1"))
    assert recorded.facts["unread"] == "occurred_at, customer.email"
    assert recorded.facts["money"] == "test, not real"


async def test_a_stale_event_has_a_stale_step(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    late = told("payment.pending", "100", payment="P-1", reference="late")
    await applied(ledger, late)
    assert await words(ledger, "late") == ["delivered", "recorded", "stale"]


@pytest.mark.parametrize(
    ("late", "word"),
    [
        (told("payment.failed", reference="late", at=1), "called off after paid"),
        (
            told("payment.confirmed", "9", currency="EUR", reference="late", at=1),
            "other currency",
        ),
    ],
)
async def test_a_case_that_an_event_opens_is_marked_as_trouble(
    ledger: AsyncEngine, late: Event, word: str
) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    await applied(ledger, late)
    steps = await found(ledger, TrailQuery("late"))
    assert [step.what for step in steps if step.trouble] == [word]


async def test_an_event_is_found_by_each_of_its_identifiers(ledger: AsyncEngine) -> None:
    event = told("payment.confirmed", "100", tx_hash=TX)
    await applied(ledger, event, told("payment.confirmed", "1", payment="P-2"))
    wanted = await found(ledger, TrailQuery("P-1"))
    assert {step.event_id for step in wanted} == {event.id}
    orders = frozenset({("shop-eu", "order of P-1")})
    for sought in (
        TrailQuery("order of P-1"),
        TrailQuery(TX),
        TrailQuery("?", event_ids=frozenset({event.id})),
        TrailQuery("?", orders=orders),
    ):
        assert await found(ledger, sought) == wanted
    assert (
        await found(ledger, TrailQuery("?", orders=frozenset({("shop-us", "order of P-1")}))) == []
    )
    assert await found(ledger, TrailQuery("P-")) == []


async def test_the_search_uses_only_indexes(ledger: AsyncEngine) -> None:
    sought = TrailQuery("A-1", frozenset({UUID(int=1)}), frozenset({("shop-eu", "A-1")}))
    query = select(EVENT.c.event_id).where(matches(sought)).compile(ledger.sync_engine)
    values = tuple(query.params[name] for name in query.positiontup or ())
    async with ledger.connect() as connection:
        await connection.execute(text("SET enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {query}", values)
        plan = "\n".join(rows.scalars())
    assert "Seq Scan" not in plan
    for index in ("event_reference", "event_provider_reference", "event_tx_hash", "event_pkey"):
        assert index in plan


async def test_a_transfer_is_a_step_of_the_order_it_names(ledger: AsyncEngine) -> None:
    await applied(ledger, OVERPAID)
    what = Movement(PAYMENTS, SUSPENSE, Decimal(20), "USDT")
    settings = settings_of(ledger.url.render_as_string(hide_password=False))
    plan, number = await post_requested(settings, TransferRequest(what, "a tip", reference="A-1"))
    undoing = TransferRequest(str(plan.transfer.id), "not a tip")
    undone, _ = await post_requested(settings, undoing)
    steps = await found(ledger, TrailQuery("A-1"))
    assert [step.what for step in steps if step.event_id is None] == ["transferred"] * 2
    by_order = await found(ledger, TrailQuery("?", orders=frozenset({("shop-eu", "A-1")})))
    assert by_order == steps
    assert await found(ledger, TrailQuery("?", orders=frozenset({("shop-us", "A-1")}))) == []
    (step,) = await found(ledger, TrailQuery("?", frozenset({plan.transfer.id})))
    assert step.order == ("shop-eu", "A-1")
    assert step.facts == {
        "transaction": str(number),
        "line 1": f"{SUSPENSE} 20 USDT",
        "line 2": f"{PAYMENTS} -20 USDT",
        "by": operator_name(),
        "reason": "a tip",
        "transfer": str(plan.transfer.id),
        "account": "shop-eu",
    }
    (step,) = await found(ledger, TrailQuery("?", frozenset({undone.transfer.id})))
    assert step.facts["undoes"] == str(plan.transfer.id)


async def test_the_search_for_transfers_uses_only_indexes(ledger: AsyncEngine) -> None:
    sought = TrailQuery("A-1", frozenset({UUID(int=1)}))
    query = select(TRANSFER.c.id).where(named(sought)).compile(ledger.sync_engine)
    values = tuple(query.params[name] for name in query.positiontup or ())
    async with ledger.connect() as connection:
        await connection.execute(text("SET enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {query}", values)
        plan = "\n".join(rows.scalars())
    assert "Seq Scan" not in plan
    for index in ("transfer_reference", "transfer_pkey"):
        assert index in plan
