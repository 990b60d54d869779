"""Payments without a known amount are not booked, but counted and listed."""

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.measures import MEASURES
from consumers.runtime.service import MeasureReading
from tests.parts.ledger.asked import ask, asked, set_up
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told


async def measured(ledger: AsyncEngine) -> dict[str, MeasureReading]:
    async with ledger.connect() as connection:
        return {
            each.name.removeprefix("payrouter_ledger_"): await each.read(connection)
            for each in MEASURES
        }


async def test_a_payment_without_an_amount_is_counted_and_not_booked(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed"), told("payment.pending", payment="P-2"))
    assert await balances(ledger) == {}
    assert (await measured(ledger))["unbooked"] == 1


async def test_a_later_amount_books_the_payment_and_removes_it_from_the_list(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.confirmed"))
    await applied(ledger, told("payment.confirmed", "100"))
    assert (await measured(ledger))["unbooked"] == 0
    assert (await balances(ledger))["payments USDT"] == -100


async def test_a_claim_is_booked_and_counted_until_it_is_reconciled(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "20", amount_claimed=True))
    counted = await measured(ledger)
    assert (counted["unbooked"], counted["unreconciled"]) == (0, 1)
    await applied(ledger, told("payment.confirmed", "19"))
    assert (await measured(ledger))["unreconciled"] == 0
    assert await balances(ledger) == {"wallet:Ethereum USDT": 19, "payments USDT": -19}


async def test_positions_with_a_case_are_counted_by_kind(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    await applied(ledger, told("payment.failed", at=1), told("payment.cancelled", at=2))
    await applied(ledger, told("payment.confirmed", "90", currency="EUR", at=1))
    counted = await measured(ledger)
    assert (counted["called_off_after_paid"], counted["other_currency"]) == (1, 1)
    assert (counted["transactions"], counted["imbalance"]) == (1, 0)


def test_unbooked_payments_are_listed_with_the_reason(ledger_url: str) -> None:
    set_up(
        ledger_url,
        [
            told("payment.confirmed"),
            told("payment.refunded", payment="P-2"),
            told("payment.refunded", movement="r1", payment="P-2"),
            told("payment.confirmed", "1", payment="P-3"),
        ],
    )
    found = asked(ledger_url, "statement", "--unbooked")["unbooked"]
    assert {each["provider_reference"]: each["why"] for each in found} == {
        "P-1": "payment: no amount",
        "P-2": "refund: no amount, refund movements: no amount: 1",
    }
    assert {each["account"] for each in found} == {"shop-eu"}
    shown = ask(ledger_url, "statement", "--unbooked").stdout
    assert "2 not booked: the amount is not known" in shown
    assert "order of P-2" in shown
    assert "2 not booked" in ask(ledger_url, "verify").stdout


def test_the_unbooked_list_refuses_other_filters(ledger_url: str) -> None:
    said = ask(ledger_url, "statement", "--unbooked", "--order", "A-1")
    assert said.exit_code == 2
    assert "--unbooked can be combined with --limit and --json only" in said.stderr
