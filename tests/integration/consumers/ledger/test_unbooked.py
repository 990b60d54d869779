"""Money that moved, of which no amount is known: not booked, counted, listed."""

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.measures import MEASURES
from consumers.runtime.service import Reading
from tests.parts.ledger.asked import ask, asked, set_up
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told


async def measured(ledger: AsyncEngine) -> dict[str, Reading]:
    async with ledger.connect() as connection:
        return {
            each.name.removeprefix("payrouter_ledger_"): await each.read(connection)
            for each in MEASURES
        }


async def test_without_an_amount_nothing_is_booked_and_it_counts(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed"), told("payment.pending", payment="P-2"))
    assert await balances(ledger) == {}
    assert (await measured(ledger))["unbooked"] == 1


async def test_an_amount_told_later_books_it_and_takes_it_off_the_list(
    ledger: AsyncEngine,
) -> None:
    await applied(ledger, told("payment.confirmed"))
    await applied(ledger, told("payment.confirmed", "100"))
    assert (await measured(ledger))["unbooked"] == 0
    assert (await balances(ledger))["payments USDT"] == -100


async def test_a_claim_is_booked_and_counts_until_it_is_reconciled(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "20", amount_claimed=True))
    counted = await measured(ledger)
    assert (counted["unbooked"], counted["unreconciled"]) == (0, 1)
    await applied(ledger, told("payment.confirmed", "19"))
    assert (await measured(ledger))["unreconciled"] == 0
    assert await balances(ledger) == {"wallet:Ethereum USDT": 19, "payments USDT": -19}


async def test_what_a_person_should_look_at_is_counted_by_kind(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    await applied(ledger, told("payment.failed"), told("payment.cancelled"))
    await applied(ledger, told("payment.confirmed", "90", currency="EUR"))
    counted = await measured(ledger)
    assert (counted["called_off_after_paid"], counted["other_currency"]) == (2, 1)
    assert (counted["transactions"], counted["imbalance"]) == (1, 0)


def test_they_are_listed_with_the_reason(ledger_url: str) -> None:
    set_up(
        ledger_url,
        [
            told("payment.confirmed"),
            told("payment.refunded", "30", payment="P-2"),
            told("payment.confirmed", "1", payment="P-3"),
        ],
    )
    found = asked(ledger_url, "statement", "--unbooked")["unbooked"]
    assert {each["provider_reference"]: each["why"] for each in found} == {
        "P-1": "no amount was told",
        "P-2": "taken back, and never paid",
    }
    assert {each["account"] for each in found} == {"shop-eu"}
    shown = ask(ledger_url, "statement", "--unbooked").stdout
    assert "2 not booked: the amount is not known" in shown
    assert "order of P-2" in shown
    assert "2 not booked" in ask(ledger_url, "verify").stdout


def test_the_list_takes_no_other_narrowing(ledger_url: str) -> None:
    said = ask(ledger_url, "statement", "--unbooked", "--order", "A-1")
    assert said.exit_code == 2
    assert "--unbooked goes with --limit and --json alone" in said.stderr
