"""Month reports, against the sums of the exported journal."""

import csv
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from consumers.ledger.dates import last_day
from router.contract.event import Event
from tests.parts.ledger.asked import ask, asked, run, set_up
from tests.parts.ledger.told import MOMENT, told

Sums = dict[tuple[str, str, str], Decimal]


def on(day: int, kind: str, amount: str, **facts: Any) -> Event:  # noqa: ANN401 - any field
    """Make an event of a day of January 2026; 0 is the last of December."""
    at = MOMENT.replace(day=1) + timedelta(days=day - 1)
    return told(kind, amount, payment=f"P-{day}-{amount}", received_at=at, **facts)


EVENTS = [
    on(0, "payment.confirmed", "1000"),
    on(1, "payment.confirmed", "100", fee="1", fee_currency="USDT"),
    on(1, "payment.confirmed", "7", currency="EUR", network="TRON"),
    on(15, "payment.confirmed", "200", account="shop-us"),
    on(31, "payment.refunded", "30"),
    on(31, "payout.confirmed", "50", gas="0.5", gas_currency="USDT"),
    on(32, "payment.confirmed", "4000"),
]


@pytest.fixture
def months(ledger_url: str) -> str:
    """Return the URL of a ledger with postings in and around January."""
    set_up(ledger_url, EVENTS)
    return ledger_url


def journal(url: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(ask(url, "export").stdout)))


def sums(rows: list[dict[str, str]]) -> Sums:
    found: Sums = defaultdict(Decimal)
    for row in rows:
        found[row["ledger_account"], row["network"], row["currency"]] += Decimal(row["amount"])
    return dict(found)


def stated(month: Any, which: str) -> Sums:  # noqa: ANN401 - JSON
    return {
        (each["account"], each["network"] or "", each["currency"]): Decimal(each[which])
        for each in month["accounts"]
    }


def nonzero(found: Sums) -> Sums:
    return {key: amount for key, amount in found.items() if amount}


def test_opening_and_closing_are_the_sums_of_the_journal(months: str) -> None:
    rows, month = journal(months), asked(months, "month", "2026-01")
    before = [row for row in rows if row["day"] < "2026-01-01"]
    through = [row for row in rows if row["day"] <= "2026-01-31"]
    assert nonzero(stated(month, "opening")) == nonzero(sums(before))
    assert nonzero(stated(month, "closing")) == nonzero(sums(through))
    assert month["reconciled"] is True


def test_movements_are_the_sums_of_the_journal_by_type(months: str) -> None:
    rows = [row for row in journal(months) if row["day"][:7] == "2026-01"]
    for each in asked(months, "month", "2026-01")["accounts"]:
        own = [
            row
            for row in rows
            if (row["ledger_account"], row["network"], row["currency"])
            == (each["account"], each["network"] or "", each["currency"])
        ]
        by_type: dict[str, Decimal] = defaultdict(Decimal)
        for row in own:
            by_type[row["type"]] += Decimal(row["amount"])
        assert {each["type"]: Decimal(each["amount"]) for each in each["movements"]} == by_type
        assert sum(each["postings"] for each in each["movements"]) == len(own)


def test_a_month_of_one_merchant_has_no_account_of_another(months: str) -> None:
    found = asked(months, "month", "2026-01", "--account", "shop-us")
    assert {each["account"].split(":")[0] for each in found["accounts"]} == {"shop-us"}
    (wallet,) = [each for each in found["accounts"] if ":wallet:" in each["account"]]
    assert (wallet["opening"], wallet["closing"]) == ("0", "200")


def test_a_balance_that_the_journal_does_not_explain_is_a_problem(months: str) -> None:
    run(months, "UPDATE ledger.balance SET amount = amount + 1 WHERE day = '2026-01-15'")
    found = asked(months, "month", "2026-01", status=1)
    wrong = {each["account"] for each in found["accounts"] if not each["reconciled"]}
    assert wrong == {"shop-us:blockatm:payments", "shop-us:blockatm:wallet:Ethereum"}
    assert "2026-01, NOT RECONCILED" in ask(months, "month", "2026-01").stdout


def test_a_month_is_shown_as_a_table(months: str) -> None:
    said = ask(months, "month", "2026-01", "--account", "shop-us").stdout
    assert "2026-01, reconciled with the journal" in said
    assert "shop-us:blockatm:wallet:Ethereum" in said


def test_balances_through_a_day_are_those_that_the_month_closes_with(months: str) -> None:
    month = asked(months, "month", "2026-01", "--currency", "EUR")
    shown = asked(months, "balance", "--through", "2026-01-31", "--currency", "EUR")
    amounts = {each["account"]: each["balance"] for each in shown["accounts"]}
    assert shown["through"] == "2026-01-31"
    assert amounts == {each["account"]: each["closing"] for each in month["accounts"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("month", "January"), "'January' is not a month; use 2026-11"),
        (("balance", "--through", "1.2.2026"), "'1.2.2026' is not a day; use 2026-11-30"),
        (("balance", "--through", "2026-01-31", "--at", "2026-01-31"), "exclude each other"),
    ],
)
def test_a_wrong_day_is_a_usage_error(months: str, arguments: tuple[str, ...], said: str) -> None:
    result = ask(months, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_last_day_of_a_month_is_that_of_the_calendar() -> None:
    assert last_day(MOMENT.date().replace(year=2028, month=2, day=1)).day == 29
