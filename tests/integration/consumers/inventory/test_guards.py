"""Changes that the database refuses, and the steps a trace finds."""

import pytest
from sqlalchemy.exc import DBAPIError

from consumers.inventory.trace import steps_of
from consumers.runtime.fate import Fate
from consumers.runtime.trail import TrailQuery, TrailStep
from tests.parts.contract.orders import decided, order
from tests.parts.inventory.shop import Shop, ordered, paid


@pytest.mark.parametrize("table", ["event", "movement", "history"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inventory.{0} SET event_id = event_id",
        "DELETE FROM inventory.{0}",
        "TRUNCATE inventory.{0}",
    ],
)
async def test_history_cannot_be_changed(shop: Shop, table: str, statement: str) -> None:
    await shop.apply(order())
    with pytest.raises(DBAPIError, match="append-only"):
        await shop.execute(statement.format(table))


@pytest.mark.parametrize(
    "change",
    [
        "stock SET reserved = -1",
        "stock SET committed = -1",
        "stock SET oversold = -1",
        "stock SET on_hand = 1",
        "line SET reserved = 3",
        "line SET quantity = 0",
    ],
)
async def test_missing_stock_cannot_be_reserved_or_sold(shop: Shop, change: str) -> None:
    await shop.set("tea", 2)
    await shop.apply(order())
    with pytest.raises(DBAPIError, match="within"):
        await shop.execute(f"UPDATE inventory.{change}")


async def test_an_event_changes_an_article_for_an_order_once(shop: Shop) -> None:
    await shop.set("tea", 2)
    await shop.apply(order())
    again = (
        "INSERT INTO inventory.movement (event_id, stock_id, order_id, on_hand, reserved,"
        " committed, oversold, cause) SELECT event_id, stock_id, order_id, 0, 0, 0, 0, 'again'"
        " FROM inventory.movement"
    )
    with pytest.raises(DBAPIError, match="movement_event_stock_order_key"):
        await shop.execute(again)


async def found(shop: Shop, sought: TrailQuery) -> list[TrailStep]:
    async with shop.engine.connect() as connection:
        return list(await steps_of(connection, sought))


async def test_a_trace_finds_an_order_by_each_of_its_identifiers(shop: Shop) -> None:
    await shop.set("tea", 1)
    first = paid("pending", provider_reference="P-1")
    confirmed = paid(provider_reference="P-1")
    await shop.each(first, order(), confirmed, ordered(2))
    steps = await found(shop, TrailQuery("A-1"))
    assert [step.what for step in steps] == [
        "payment waiting",
        "placed",
        "short",
        "payment found",
        "oversold",
    ]
    assert {step.order for step in steps} == {("shop-eu", "A-1")}
    assert [step.trouble for step in steps] == [False] * 4 + [True]
    assert steps[-1].event_id == confirmed.id
    assert steps[-1].facts == {"was": "short", "oversold": "tea=1"}
    for sought in (
        TrailQuery("P-1"),
        TrailQuery("0xabc", event_ids=frozenset({confirmed.id})),
        TrailQuery("0xabc", event_ids=frozenset({first.id})),
        TrailQuery("0xabc", orders=frozenset({("shop-eu", "A-1")})),
    ):
        assert await found(shop, sought) == steps
    assert await found(shop, TrailQuery("0xabc", orders=frozenset({("shop-us", "A-1")}))) == []


async def test_a_trace_finds_a_waiting_payment(shop: Shop) -> None:
    await shop.apply(paid(reference=None, provider_reference="P-1"))
    (step,) = await found(shop, TrailQuery("P-1"))
    assert (step.what, step.order) == ("payment waiting", None)
    assert step.facts["status"] == "confirmed"


async def test_a_trace_shows_who_decided_when_and_why(shop: Shop) -> None:
    await shop.set("tea", 5)
    made = decided("accept", at="2026-01-02T03:04:05Z")
    assert await shop.each(order(), made, made) == [Fate.APPLIED, Fate.APPLIED, Fate.STALE]
    (step,) = [each for each in await found(shop, TrailQuery("A-1")) if each.what == "decided"]
    assert step.event_id == made.id
    assert step.order == ("shop-eu", "A-1")
    assert step.facts == {
        "decision": "accept",
        "by": "anna@desk",
        "reason": "paid in cash",
        "decided": "2026-01-02T03:04:05+00:00",
    }


async def test_a_trace_shows_who_recorded_an_amount_and_why(shop: Shop) -> None:
    said = {"by": "anna@desk", "reason": "seen on chain", "provider": "blockatm"}
    record = paid(provider="operator", recorded=said)
    await shop.each(order(), paid(amount_claimed=True), record)
    steps = await found(shop, TrailQuery("A-1"))
    (step,) = [each for each in steps if each.what == "recorded by operator"]
    assert (step.facts["by"], step.facts["reason"]) == ("anna@desk", "seen on chain")
