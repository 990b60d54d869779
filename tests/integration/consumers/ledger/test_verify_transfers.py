"""`payrouter ledger verify` finds every transfer that its transaction does not equal."""

import pytest

from tests.parts.ledger.asked import UNGUARDED, asked, run, set_up
from tests.parts.ledger.told import told
from tests.parts.ledger.transferring import BANK, OVERPAID, PAYMENTS, SUSPENSE, WALLET, transfer

LOOSE = (
    *UNGUARDED,
    "ALTER TABLE ledger.transfer DISABLE TRIGGER ALL",
    "ALTER TABLE ledger.transaction DROP CONSTRAINT transaction_has_one_cause",
    "DROP INDEX ledger.transfer_undoes",
)
"""Statements of an owner who removes what protects transfers."""


@pytest.fixture
def moved(ledger_url: str) -> tuple[str, str, str]:
    """Return the URL of a ledger, and the ids of a transfer (transaction 3) and its undoing (4)."""
    other = told("payment.confirmed", "3", payment="P-8", account="other")
    set_up(ledger_url, [OVERPAID, other])
    first = transfer(ledger_url, PAYMENTS, SUSPENSE, "20", "USDT")
    assert first["transaction"] == 3
    undone = transfer(ledger_url, "--undo", first["transfer"])
    assert asked(ledger_url, "verify")["good"]
    return ledger_url, first["transfer"], undone["transfer"]


def faults(url: str) -> set[tuple[str, str, str]]:
    verdict = asked(url, "verify", status=1)
    return {(each["kind"], each["where"], each["what"]) for each in verdict["faults"]}


def account(name: str) -> str:
    return f"(SELECT id FROM ledger.account WHERE name = '{name}')"


CHANGES = {
    "amount of the row": "UPDATE ledger.transfer SET amount = 21 WHERE undoes IS NULL",
    "currency of the row": "UPDATE ledger.transfer SET currency = 'EUR' WHERE undoes IS NULL",
    "account of the row": f"UPDATE ledger.transfer SET to_account = {account(WALLET)}"
    " WHERE undoes IS NULL",
    "amount of the lines": "UPDATE ledger.posting SET amount = amount * 2 WHERE transaction_id = 3",
    "direction of the lines": "UPDATE ledger.posting SET amount = -amount WHERE transaction_id = 3",
    "currency of the lines": "UPDATE ledger.posting SET currency = 'EUR' WHERE transaction_id = 3",
    "account of a line": f"UPDATE ledger.posting SET account_id = {account(WALLET)}"
    " WHERE transaction_id = 3 AND line = 1",
    "a line lost": "DELETE FROM ledger.posting WHERE transaction_id = 3 AND line = 2",
    "other lines added": "INSERT INTO ledger.posting SELECT transaction_id, line + 2, account_id,"
    " currency, amount * 3 FROM ledger.posting WHERE transaction_id = 3",
    "lines added": "INSERT INTO ledger.posting SELECT transaction_id, line + 2, account_id,"
    " currency, amount FROM ledger.posting WHERE transaction_id = 3",
}


@pytest.mark.parametrize("change", CHANGES)
def test_lines_that_differ_from_their_transfer_are_found(
    moved: tuple[str, str, str], change: str
) -> None:
    url, first, _ = moved
    run(url, *LOOSE, CHANGES[change])
    assert ("transfer", f"transfer {first}", "its lines differ from it") in faults(url)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger.transfer SET at = at - interval '1 hour' WHERE undoes IS NULL",
        "UPDATE ledger.transaction SET moment = moment - interval '1 hour' WHERE id = 3",
        "UPDATE ledger.transaction SET day = day - 1 WHERE id = 3",
    ],
)
def test_another_date_is_found(moved: tuple[str, str, str], change: str) -> None:
    url, first, _ = moved
    run(url, *LOOSE, change)
    assert ("transfer", f"transfer {first}", "its transaction has another date") in faults(url)


def test_a_lost_transaction_is_found(moved: tuple[str, str, str]) -> None:
    url, first, _ = moved
    lost = ("posting WHERE transaction_id = 3", "transaction WHERE id = 3")
    run(url, *LOOSE, *(f"DELETE FROM ledger.{each}" for each in lost))
    found = faults(url)
    assert ("transfer", f"transfer {first}", "has 0 transactions instead of 1") in found


def test_a_second_transaction_is_found(moved: tuple[str, str, str]) -> None:
    url, first, _ = moved
    again = (
        "DROP INDEX ledger.transaction_transfer",
        f"UPDATE ledger.transaction SET event_id = NULL, transfer_id = '{first}' WHERE id = 1",
    )
    run(url, *LOOSE, *again)
    found = faults(url)
    assert ("transfer", f"transfer {first}", "has 2 transactions instead of 1") in found
    # The postings of the event are missing from its payment.
    assert any(kind == "position" for kind, _, _ in found)


@pytest.mark.parametrize(
    ("causes", "what"),
    [
        ("event_id = NULL, transfer_id = NULL", "has 0 causes instead of 1"),
        (
            "event_id = (SELECT event_id FROM ledger.transaction WHERE id = 1)",
            "has 2 causes instead of 1",
        ),
        ("transfer_id = '00000000-0000-0000-0000-000000000001'", "its cause is missing"),
        (
            "transfer_id = NULL, event_id = '00000000-0000-0000-0000-000000000001'",
            "its cause is missing",
        ),
    ],
)
def test_a_transaction_without_exactly_one_cause_is_found(
    moved: tuple[str, str, str], causes: str, what: str
) -> None:
    url, _, _ = moved
    unique = "ALTER TABLE ledger.transaction DROP CONSTRAINT transaction_event_id_key"
    run(url, *LOOSE, unique, f"UPDATE ledger.transaction SET {causes} WHERE id = 3")
    assert ("cause", "transaction 3", what) in faults(url)


def test_an_undoing_that_is_not_the_reverse_is_found(moved: tuple[str, str, str]) -> None:
    url, first, undoing = moved
    run(url, *LOOSE, "UPDATE ledger.transfer SET amount = 19 WHERE undoes IS NOT NULL")
    what = f"is not the reverse of {first}, which it undoes"
    assert ("transfer", f"transfer {undoing}", what) in faults(url)


def test_an_undoing_of_nothing_is_found(moved: tuple[str, str, str]) -> None:
    url, _, undoing = moved
    gone = "00000000-0000-0000-0000-000000000001"
    run(url, *LOOSE, f"UPDATE ledger.transfer SET undoes = '{gone}' WHERE id = '{undoing}'")
    what = f"is not the reverse of {gone}, which it undoes"
    assert ("transfer", f"transfer {undoing}", what) in faults(url)


def test_a_second_undoing_is_found(moved: tuple[str, str, str]) -> None:
    url, first, undoing = moved
    third = transfer(url, SUSPENSE, PAYMENTS, "20", "USDT")["transfer"]
    run(url, *LOOSE, f"UPDATE ledger.transfer SET undoes = '{first}' WHERE id = '{third}'")
    what = f"{first} is undone more than once"
    assert {("transfer", f"transfer {each}", what) for each in (undoing, third)} <= faults(url)


def test_a_transfer_between_two_merchants_is_found(moved: tuple[str, str, str]) -> None:
    url, _, _ = moved
    fourth = transfer(url, WALLET, BANK, "1", "USDT")["transfer"]
    elsewhere = account("other:blockatm:wallet:Ethereum")
    change = f"SET to_account = {elsewhere} WHERE id = '{fourth}'"
    run(url, *LOOSE, f"UPDATE ledger.transfer {change}")
    what = "is between shop-eu and other"
    assert ("transfer", f"transfer {fourth}", what) in faults(url)
