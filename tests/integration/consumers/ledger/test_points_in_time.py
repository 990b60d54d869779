"""Balances at a time, and transactions of a period."""

import pytest

from tests.parts.ledger.asked import UNGUARDED, ask, asked, set_up
from tests.parts.ledger.told import told

EVENTS = [told("payment.confirmed", str(n), payment=f"P-{n}") for n in (1, 2, 4)]

# Posted at 10 o'clock of the first three days of the year.
DATED = (
    "UPDATE ledger.transaction SET posted_at = '2026-01-01 10:00Z'::timestamptz"
    " + (id - 1) * interval '1 day'"
)


@pytest.fixture
def dated(ledger_url: str) -> str:
    """Return the URL of a ledger with a transaction on each of three days."""
    set_up(ledger_url, EVENTS, *UNGUARDED, DATED)
    return ledger_url


@pytest.mark.parametrize(
    ("moment", "transactions", "wallet"),
    [
        ("2026-01-01", 0, None),
        ("2026-01-01T10:00:00Z", 1, "1"),
        ("2026-01-02T09:59:59.999999Z", 1, "1"),
        ("2026-01-02T10:00:00", 2, "3"),
        ("2026-01-02T12:00:00+02:00", 2, "3"),
        ("2027-01-01", 3, "7"),
    ],
)
def test_a_balance_can_be_read_at_a_time(
    dated: str, moment: str, transactions: int, wallet: str | None
) -> None:
    books = asked(dated, "balance", "--at", moment)
    assert (books["transactions"], books["balanced"]) == (transactions, True)
    amounts = {each["account"]: each["balance"] for each in books["accounts"]}
    assert amounts.get("shop-eu:blockatm:wallet:Ethereum") == wallet


def test_a_balance_at_a_time_names_the_time(dated: str) -> None:
    assert asked(dated, "balance", "--at", "2026-01-02")["at"] == "2026-01-02T00:00:00+00:00"
    assert "2 transactions up to 2026-01-02T10:00:00+00:00, balanced" in (
        ask(dated, "balance", "--at", "2026-01-02T10:00:00Z").stdout
    )


@pytest.mark.parametrize(
    ("period", "numbers"),
    [
        (("--at", "2026-01-02T10:00:00Z"), [1, 2]),
        (("--to", "2026-01-02T10:00:00Z"), [1]),
        (("--from", "2026-01-02T10:00:00Z"), [2, 3]),
        (("--from", "2026-01-02", "--to", "2026-01-03"), [2]),
        (("--from", "2026-01-02", "--at", "2026-01-03T10:00:00Z", "--limit", "1"), [3]),
    ],
)
def test_a_statement_can_be_limited_to_a_period(
    dated: str, period: tuple[str, ...], numbers: list[int]
) -> None:
    found = asked(dated, "statement", *period)["transactions"]
    assert [each["transaction"] for each in found] == numbers


def test_an_invalid_time_is_a_usage_error(dated: str) -> None:
    said = ask(dated, "balance", "--at", "yesterday")
    assert said.exit_code == 2
    assert "'yesterday' is not a time; use 2026-11-22 or 2026-11-22T10:00:00Z" in said.stderr
