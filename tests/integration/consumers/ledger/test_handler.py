"""Batches of events on a real database: every effect happens once, in any order."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from consumers.ledger.book import EVENT, EVIDENCE
from consumers.ledger.handler import handle
from consumers.ledger.reading.statement import read_statement
from consumers.ledger.writing.evidence import Evidence, event_of, stored_digest
from consumers.runtime.fate import Fate
from router.contract.event import Customer, Raw
from tests.parts.ledger.bookkeeping import applied, balances, books, count
from tests.parts.ledger.told import LARGEST, told


async def test_a_confirmed_payment_becomes_one_balanced_transaction(ledger: AsyncEngine) -> None:
    assert await applied(ledger, told("payment.confirmed", "100.50")) == [Fate.APPLIED]
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": Decimal("100.50"),
        "payments USDT": Decimal("-100.50"),
    }
    assert (await books(ledger)).transactions == 1
    assert (await books(ledger)).balanced


async def test_an_empty_batch_does_nothing(ledger: AsyncEngine) -> None:
    assert await applied(ledger) == []


async def test_an_event_in_the_journal_is_stale_even_if_the_runtime_has_forgotten_it(
    ledger: AsyncEngine,
) -> None:
    event = told("payment.confirmed", "100")
    await applied(ledger, event)
    assert await applied(ledger, event, told("payment.confirmed", "7", payment="P-2")) == [
        Fate.STALE,
        Fate.APPLIED,
    ]
    assert await count(ledger, "transactions") == 2


async def test_an_event_twice_in_one_batch_is_booked_once(ledger: AsyncEngine) -> None:
    event = told("payment.confirmed", "100")
    assert await applied(ledger, event, event, event.model_copy()) == [
        Fate.APPLIED,
        Fate.STALE,
        Fate.STALE,
    ]
    assert await count(ledger, "transactions") == 1


async def test_a_known_id_with_other_contents_changes_neither_books_nor_position(
    ledger: AsyncEngine,
) -> None:
    event = told("payment.confirmed", "100")
    await applied(ledger, event)
    before = await balances(ledger)
    contradiction = event.model_copy(update={"amount": Decimal(900)})
    assert await applied(ledger, contradiction) == [Fate.STALE]
    await applied(ledger, told("payment.overpaid", "100"))
    assert await balances(ledger) == before


async def test_the_events_of_one_payment_within_one_batch_build_on_each_other(
    ledger: AsyncEngine,
) -> None:
    events = [
        told("payment.pending", "100"),
        told("payment.underpaid", "80"),
        told("payment.confirmed", "100"),
        told("payment.confirmed", "100"),
        told("payment.failed"),
    ]
    applied_, stale = Fate.APPLIED, Fate.STALE
    assert await applied(ledger, *events) == [applied_, applied_, applied_, stale, applied_]
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": Decimal(100),
        "payments USDT": Decimal(-100),
    }
    assert await count(ledger, "events") == 5
    assert await count(ledger, "transactions") == 2


async def test_a_confirmation_after_its_refund_is_booked_but_keeps_the_status(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.refunded"))
    assert await applied(ledger, told("payment.confirmed", "100")) == [Fate.APPLIED]
    assert await balances(ledger) == {"payments USDT": Decimal(-100), "refunds USDT": Decimal(100)}


async def test_failed_after_paid_posts_nothing_and_is_logged_once_for_an_operator(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    with capture_logs() as lines:
        assert await applied(ledger, told("payment.failed", at=1)) == [Fate.APPLIED]
        assert await applied(ledger, told("payment.failed", at=2)) == [Fate.STALE]
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("called_off_after_paid", "warning")
    ]
    assert await count(ledger, "transactions") == 1


async def test_a_case_whose_facts_change_is_logged_once(ledger: AsyncEngine) -> None:
    with capture_logs() as lines:
        for number in range(3):
            refund = {"movement": f"r{number}", "movement_amount": "1"}
            await applied(ledger, told("payment.refunded", **refund))
    assert [line["event"] for line in lines] == ["out_exceeds_in"]


async def test_another_currency_for_the_same_money_is_logged_and_not_booked(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    with capture_logs() as lines:
        late = told("payment.confirmed", "90", currency="EUR", at=1)
        assert await applied(ledger, late) == [Fate.APPLIED]
    assert [line["event"] for line in lines] == ["other_currency"]
    assert await count(ledger, "transactions") == 1


async def test_two_merchants_with_the_same_order_and_number_are_kept_apart(
    ledger: AsyncEngine,
) -> None:
    await applied(
        ledger,
        told("payment.confirmed", "100"),
        told("payment.confirmed", "100", account="shop-us"),
    )
    names = [balance.account for balance in (await books(ledger)).balances]
    assert names == [
        "shop-eu:blockatm:payments",
        "shop-eu:blockatm:wallet:Ethereum",
        "shop-us:blockatm:payments",
        "shop-us:blockatm:wallet:Ethereum",
    ]


async def test_a_payment_and_a_payout_of_the_same_number_are_kept_apart(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.confirmed", "100"), told("payout.confirmed", "30"))
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": Decimal(70),
        "payments USDT": Decimal(-100),
        "payouts USDT": Decimal(30),
    }


async def test_the_largest_amounts_are_stored_to_the_last_digit(ledger: AsyncEngine) -> None:
    charges = {"fee_currency": "USDT", "gas": LARGEST, "gas_currency": "USDT"}
    await applied(ledger, told("payout.confirmed", LARGEST, fee="0.000000000000000001", **charges))
    assert await balances(ledger) == {
        "payouts USDT": Decimal(LARGEST),
        "fees USDT": Decimal("0.000000000000000001"),
        "gas USDT": Decimal(LARGEST),
        "wallet:Ethereum USDT": Decimal("-199999999999999999999.999999999999999999"),
    }


async def test_the_longest_texts_fit_into_every_index(ledger: AsyncEngine) -> None:
    texts = ("account", "provider", "reference", "provider_reference", "network", "currency")
    longest = dict.fromkeys(texts, "€" * 512)
    outcome = await applied(ledger, told("payment.confirmed", "1", **longest))
    assert outcome == [Fate.APPLIED]
    assert (await books(ledger)).balanced


async def test_a_batch_may_be_larger_than_the_drivers_limit_on_parameters(
    ledger: AsyncEngine,
) -> None:
    events = [told("payment.confirmed", "1", payment=f"P-{number}") for number in range(4000)]
    assert set(await applied(ledger, *events)) == {Fate.APPLIED}
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": Decimal(4000),
        "payments USDT": Decimal(-4000),
    }


async def test_transactions_are_numbered_in_the_order_of_the_events(ledger: AsyncEngine) -> None:
    events = [told("payment.confirmed", "1", payment=f"P-{number}") for number in range(50)]
    await applied(ledger, *events)
    async with ledger.connect() as connection:
        shown = await read_statement(connection)
    assert [transaction.event_id for transaction in shown] == [event.id for event in events]


async def test_a_rollback_leaves_no_rows(ledger: AsyncEngine) -> None:
    async with ledger.connect() as connection:
        await handle(connection, [told("payment.confirmed", "100")])
        await connection.rollback()
    assert await count(ledger, "events") == 0
    assert await count(ledger, "positions") == 0
    assert (await books(ledger)).transactions == 0


async def test_the_whole_event_is_stored_apart_from_the_journal_with_its_digest(
    ledger: AsyncEngine,
) -> None:
    raw = Raw(method="POST", target="/", headers={}, body="€", body_encoding="utf-8")
    customer = Customer(id="C-1", email="payer@example.com")
    event = told("payment.confirmed", "100.50", raw=raw, customer=customer)
    await applied(ledger, event)
    async with ledger.connect() as connection:
        row = (await connection.execute(select(EVIDENCE))).one()
        digest = await connection.scalar(select(EVENT.c.digest))
        computed = await connection.scalar(select(stored_digest()))
    evidence = Evidence(row.body, row.customer, row.raw)
    assert event_of(evidence) == event
    assert evidence.digest == digest == computed
    assert "payer" not in row.body
