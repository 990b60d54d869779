"""Batches on a real database: one message per accepted change and channel, and its recipient."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.handler import NotificationHandler
from consumers.notifications.outcomes import OrderOutcome
from consumers.notifications.rules import CALLED_OFF
from consumers.notifications.service import clean_up_addresses
from consumers.notifications.tables import CHANGE, SCHEMA
from consumers.runtime.fate import Fate
from router.contract.event import Event
from router.contract.order_fields import OtherOrderMessage
from tests.parts.contract.orders import decided, order
from tests.parts.notifications.desk import (
    EMAIL,
    applied,
    messages,
    options,
    rule,
    run,
    states,
    told,
)

APPLIED, STALE = Fate.APPLIED, Fate.STALE
OPS = options([rule(["payment.*", "alert.*"], "on-call", "hook", "mail")])


MET = {"amount": "1000", "expected_amount": "1000", "expected_currency": "USDT"}


def outcome(status: str, reference: str = "A-1") -> OrderOutcome:
    return OrderOutcome(uuid4(), "shop-eu", reference, status, datetime.now(UTC))


def placed(**customer: str) -> object:
    return order(customer={"email": EMAIL, "language": "de", **customer})


async def test_a_change_creates_one_message_per_channel(desk: AsyncEngine) -> None:
    event = told("payment.confirmed")
    assert await applied(desk, OPS, event) == [APPLIED]
    found = await messages(desk)
    assert {(row.channel, row.recipient, row.kind, row.state) for row in found} == {
        ("hook", "on-call", "payment.confirmed", "pending"),
        ("mail", "on-call", "payment.confirmed", "pending"),
    }
    assert {row.address for row in found} == {"on-call@example.com"}
    assert {row.event_id for row in found} == {event.id}


async def test_an_empty_batch_does_nothing(desk: AsyncEngine) -> None:
    assert await applied(desk, OPS) == []


async def test_a_handled_event_is_stale_even_if_the_runtime_has_forgotten_it(
    desk: AsyncEngine,
) -> None:
    event = told("payment.confirmed")
    await applied(desk, OPS, event)
    await run(desk, f"DELETE FROM {SCHEMA}.subject")
    assert await applied(desk, OPS, event) == [STALE]
    assert len(await messages(desk)) == 2


async def test_a_replayed_event_is_not_sent_on_a_channel_added_since(
    desk: AsyncEngine,
) -> None:
    event = told("subscription.renewed")
    await applied(desk, OPS, event)
    await applied(desk, options([rule("subscription.*", "on-call", "hook")]), event)
    assert await messages(desk) == []


async def test_an_event_twice_in_a_batch_creates_one_message(desk: AsyncEngine) -> None:
    event = told("payment.confirmed")
    assert await applied(desk, OPS, event, event) == [APPLIED, STALE]
    assert len(await messages(desk)) == 2


async def test_an_event_that_comes_too_late_creates_no_message(desk: AsyncEngine) -> None:
    life = ["payment.confirmed", "payment.pending", "payment.confirmed", "payment.underpaid"]
    rules = options([rule("payment.*", "on-call", "hook")])
    assert await applied(desk, rules, *map(told, life)) == [APPLIED, STALE, STALE, STALE]
    assert [row.kind for row in await messages(desk)] == ["payment.confirmed"]


async def test_failed_after_paid_alerts_operators_once(desk: AsyncEngine) -> None:
    await applied(desk, OPS, told("payment.confirmed"))
    late = [told("payment.failed"), told("payment.expired")]
    assert await applied(desk, OPS, *late) == [STALE, STALE]
    alerts = [row for row in await messages(desk) if row.kind == CALLED_OFF]
    assert [row.event_id for row in alerts] == [late[0].id] * 2


async def test_every_refund_is_a_message_and_a_repeat_of_its_money_is_not(
    desk: AsyncEngine,
) -> None:
    def refund(number: int, **facts: object) -> Event:
        named = {"movement": f"re_{number}", "movement_amount": "30", "amount": None}
        return told("payment.refunded", **{**named, **facts})

    rules = options([rule("payment.*", "on-call", "hook")])
    total = told("payment.refunded", amount="60")
    assert await applied(desk, rules, refund(1)) == [APPLIED]
    assert await applied(desk, rules, refund(1), refund(2)) == [STALE, APPLIED]
    assert await applied(desk, rules, total, refund(2, movement_amount="30.00")) == [STALE, STALE]
    failed = refund(1, type="payment.refund_failed")
    assert await applied(desk, rules, failed) == [APPLIED]
    assert [row.kind for row in await messages(desk)] == [
        "payment.refunded",
        "payment.refunded",
        "payment.refund_failed",
    ]
    async with desk.connect() as connection:
        known = await connection.scalars(select(CHANGE.c.facts))
    totals = sorted(json.loads(each)["total_amount"] for each in known)
    assert totals == ["30", "30", "30", "60", "60", "60"]


async def test_a_paid_order_is_a_message_of_the_inventorys_outcome(desk: AsyncEngine) -> None:
    rules = options([rule(["order.paid", "payment.confirmed"], "customer", "mail")])
    await applied(desk, rules, placed(), told("payment.confirmed", **MET))
    committed = outcome("committed")
    assert await applied(desk, rules, outcome("reserved"), committed) == [STALE, APPLIED]
    assert await applied(desk, rules, committed, outcome("committed")) == [STALE, STALE]
    rows = await messages(desk)
    assert [row.kind for row in rows] == ["payment.confirmed", "order.paid"]
    assert (rows[1].event_id, rows[1].address, rows[1].language) == (committed.id, EMAIL, "de")


async def test_without_an_inventory_an_event_that_proves_it_sends_paid(desk: AsyncEngine) -> None:
    rules = options([rule(["order.paid", "payment.confirmed"], "customer", "mail")], paid="gateway")
    dear = order(total="3000", currency="USDT", customer={"email": EMAIL})
    await applied(desk, rules, told("payment.confirmed", **MET), outcome("committed"))
    await applied(desk, rules, told("payment.confirmed", provider_reference="2"))
    await applied(desk, rules, dear, told("payment.confirmed", provider_reference="3", **MET))
    found = [(row.kind, row.state) for row in await messages(desk)]
    assert found == [
        ("order.paid", "pending"),
        ("payment.confirmed", "pending"),
        ("payment.confirmed", "pending"),
    ]


@pytest.mark.parametrize("first", ["payment", "outcome"])
async def test_the_payers_address_serves_the_message_about_the_order(
    desk: AsyncEngine, first: str
) -> None:
    rules = options([rule("order.paid", "customer", "mail")])
    both = [told("payment.confirmed", customer={"email": EMAIL}), outcome("committed")]
    for each in both if first == "payment" else both[::-1]:
        await applied(desk, rules, each)
    (row,) = await messages(desk)
    assert (row.address, row.wait_until) == (EMAIL, None)


async def test_the_payers_address_does_not_serve_another_payment(desk: AsyncEngine) -> None:
    await applied(desk, options(), told("payment.confirmed", provider_reference="2"))
    await applied(desk, options(), told("payment.confirmed", customer={"email": EMAIL}))
    assert sorted(str(row.address) for row in await messages(desk)) == ["None", EMAIL]


async def test_an_orders_address_is_preferred_to_the_payers(desk: AsyncEngine) -> None:
    rules = options([rule("order.paid", "customer", "mail")])
    paid = told("payment.confirmed", customer={"email": "payer@example.com"})
    await applied(desk, rules, paid, placed(), outcome("committed"))
    (row,) = await messages(desk)
    assert row.address == EMAIL


async def test_a_replayed_payment_does_not_restore_a_removed_address(desk: AsyncEngine) -> None:
    rules = options([rule("order.paid", "customer", "mail")])
    paid = told("payment.confirmed", customer={"email": EMAIL})
    await applied(desk, rules, paid)
    await run(desk, f"UPDATE {SCHEMA}.customer SET updated_at = now() - interval '91 days'")
    assert await clean_up_addresses(desk, days=90)
    await applied(desk, rules, paid)
    await applied(desk, rules, outcome("committed"))
    (row,) = await messages(desk)
    assert row.address is None


async def test_a_rollback_creates_no_message(desk: AsyncEngine) -> None:
    async with desk.connect() as connection:
        await NotificationHandler(OPS)(connection, [told("payment.confirmed")])
        await connection.rollback()
    assert await messages(desk) == []


async def test_the_customers_address_comes_from_the_event(desk: AsyncEngine) -> None:
    event = told("payment.confirmed", customer={"email": EMAIL})
    await applied(desk, options(), event)
    (row,) = await messages(desk)
    assert (row.recipient, row.address, row.wait_until) == ("customer", EMAIL, None)


async def test_the_customers_address_comes_from_an_earlier_order(desk: AsyncEngine) -> None:
    assert await applied(desk, options(), placed()) == [APPLIED]
    await applied(desk, options(), told("payment.confirmed"))
    (row,) = await messages(desk)
    assert (row.address, row.language, row.wait_until) == (EMAIL, "de", None)


async def test_a_message_waits_for_the_order_that_comes_after_the_payment(
    desk: AsyncEngine,
) -> None:
    await applied(desk, options(), told("payment.confirmed"))
    (row,) = await messages(desk)
    assert row.address is None
    assert row.wait_until - row.created_at > timedelta(seconds=590)
    await applied(desk, options(), placed())
    (row,) = await messages(desk)
    assert (row.address, row.language, row.wait_until) == (EMAIL, "de", None)


async def test_payment_and_order_in_one_batch_need_no_wait(desk: AsyncEngine) -> None:
    await applied(desk, options(), told("payment.confirmed"), placed())
    (row,) = await messages(desk)
    assert (row.address, row.wait_until) == (EMAIL, None)


async def test_an_order_of_another_account_or_number_is_ignored(desk: AsyncEngine) -> None:
    await applied(desk, options(), told("payment.confirmed"))
    others = [{"account": "shop-us"}, {"reference": "A-2"}]
    await applied(desk, options(), *(order(customer={"email": EMAIL}, **other) for other in others))
    (row,) = await messages(desk)
    assert row.address is None
    assert row.wait_until is not None


async def test_a_message_whose_address_never_arrives_is_skipped(desk: AsyncEngine) -> None:
    chosen = options(wait_for_order_seconds=0)
    await applied(desk, chosen, told("payment.confirmed"))
    assert await clean_up_addresses(desk, days=90)
    (row,) = await messages(desk)
    assert (row.state, row.wait_until) == ("skipped", None)
    assert "no order with an address" in row.last_error
    assert not await clean_up_addresses(desk, days=90)
    await applied(desk, chosen, placed())
    assert await states(desk) == ["skipped"]


async def test_a_message_without_an_order_to_wait_for_is_skipped_at_once(desk: AsyncEngine) -> None:
    await applied(desk, options(), told("payment.confirmed", reference=None))
    assert await states(desk) == ["skipped"]


async def test_a_later_order_without_an_address_keeps_the_address(desk: AsyncEngine) -> None:
    await applied(desk, options(), placed(), order("order.cancelled"))
    await applied(desk, options(), told("payment.confirmed"))
    (row,) = await messages(desk)
    assert (row.address, row.language) == (EMAIL, "de")


async def test_a_decision_of_an_operator_changes_no_contact_and_sends_nothing(
    desk: AsyncEngine,
) -> None:
    await applied(desk, options(), placed())
    assert await applied(desk, options(), decided(), decided(reference="A-2")) == [STALE, STALE]
    assert await messages(desk) == []
    kept = f"SELECT account, reference, email, language, total FROM {SCHEMA}.customer"
    async with desk.connect() as connection:
        (row,) = await connection.execute(text(kept))
    assert tuple(row) == ("shop-eu", "A-1", EMAIL, "de", Decimal(30))


async def test_a_replayed_order_does_not_restore_a_corrected_address(desk: AsyncEngine) -> None:
    first, corrected = placed(email="old@example.com"), placed()
    assert await applied(desk, options(), first, corrected) == [APPLIED, APPLIED]
    assert await applied(desk, options(), first, told("payment.confirmed")) == [STALE, APPLIED]
    (row,) = await messages(desk)
    assert row.address == EMAIL


async def test_a_replayed_order_does_not_restore_a_removed_address(desk: AsyncEngine) -> None:
    message = placed()
    await applied(desk, options(), message)
    await run(desk, f"UPDATE {SCHEMA}.customer SET updated_at = now() - interval '91 days'")
    assert await clean_up_addresses(desk, days=90)
    assert await applied(desk, options(), message) == [STALE]
    await applied(desk, options(), told("payment.confirmed"))
    (row,) = await messages(desk)
    assert row.address is None


@pytest.mark.parametrize("wrong", ["a@example.com,b@example.com", "Ann <a@example.com>", "nobody"])
async def test_an_address_that_is_not_one_mailbox_is_ignored(desk: AsyncEngine, wrong: str) -> None:
    await applied(desk, options(), order(customer={"email": wrong}))
    await applied(desk, options(), told("payment.confirmed", customer={"email": wrong}))
    (row,) = await messages(desk)
    assert row.address is None
    assert row.wait_until is not None


async def test_an_irrelevant_message_of_the_platform_is_stale(desk: AsyncEngine) -> None:
    other = OtherOrderMessage(order().id, '["1","other"]')
    assert await applied(desk, options(), other) == [STALE]


async def test_the_built_in_channel_needs_no_address(desk: AsyncEngine) -> None:
    chosen = options([rule("payment.*", "customer", "log")])
    await applied(desk, chosen, told("payment.confirmed", customer={"email": EMAIL}))
    (row,) = await messages(desk)
    assert (row.state, row.address, row.wait_until) == ("pending", None, None)


async def test_old_events_are_recorded_as_skipped(desk: AsyncEngine) -> None:
    """A new consumer reads a topic from its beginning."""
    old = datetime.now(UTC) - timedelta(hours=73)
    await applied(desk, OPS, told("payment.confirmed", received_at=old))
    assert await states(desk) == ["skipped", "skipped"]
    recent = datetime.now(UTC) - timedelta(hours=71)
    await applied(desk, OPS, told("payment.refunded", received_at=recent))
    assert await states(desk) == ["pending", "pending", "skipped", "skipped"]


async def test_old_addresses_are_deleted_unless_a_message_is_pending(
    desk: AsyncEngine,
) -> None:
    await applied(desk, options(), placed(), told("payment.confirmed"))
    age = "now() - interval '91 days'"
    await run(desk, f"UPDATE {SCHEMA}.message SET created_at = {age}")
    await run(desk, f"UPDATE {SCHEMA}.customer SET updated_at = {age}")
    await clean_up_addresses(desk, days=90)
    (row,) = await messages(desk)
    assert row.address == EMAIL, "it is still to be sent"
    await run(desk, f"UPDATE {SCHEMA}.message SET state = 'sent'")
    await clean_up_addresses(desk, days=92)
    (row,) = await messages(desk)
    assert row.address == EMAIL, "it is not old enough"
    await clean_up_addresses(desk, days=90)
    (row,) = await messages(desk)
    assert row.address is None
    await applied(desk, options(), told("payment.refunded"))
    assert (await messages(desk))[-1].address is None, "the order's is forgotten too"


async def test_a_batch_may_be_larger_than_the_drivers_limit_on_parameters(
    desk: AsyncEngine,
) -> None:
    events = [
        told("payment.confirmed", reference=f"A-{n}", provider_reference=f"P-{n}")
        for n in range(3000)
    ]
    assert set(await applied(desk, OPS, *events)) == {APPLIED}
    assert len(await messages(desk)) == 6000
