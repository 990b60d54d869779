"""`payrouter ledger verify` finds every error in the books, and none in correct books."""

import pytest

from tests.parts.ledger.asked import UNGUARDED, ask, asked, set_up
from tests.parts.ledger.told import LARGEST, MOMENT, told
from tests.parts.ledger.worked_examples import examples, of_account

EVENTS = (
    told("payment.confirmed", "100"),
    told("payment.confirmed", "7", payment="P-2"),
    told("payout.confirmed", "30", payment="W-1"),
)

WALLET = "shop-eu:blockatm:wallet:Ethereum USDT"
PAYMENTS = "shop-eu:blockatm:payments USDT"
DAY = f"on {MOMENT.date()}"


def faults(url: str) -> set[tuple[str, str, str]]:
    verdict = asked(url, "verify", status=1)
    assert not verdict["good"]
    return {(each["kind"], each["where"], each["what"]) for each in verdict["faults"]}


def test_correct_books_pass_after_every_kind_of_event(ledger_url: str) -> None:
    stories = [
        of_account(event, f"example-{number}", event.id)
        for number, example in enumerate(examples().values())
        for event in example.events
    ]
    charges = {"fee": LARGEST, "fee_currency": "USDT"}
    largest = told("payment.confirmed", LARGEST, payment="P-3", **charges)
    set_up(ledger_url, [*stories, *EVENTS, largest])
    verdict = asked(ledger_url, "verify")
    assert (verdict["good"], verdict["faults"]) == (True, [])
    assert verdict["positions"] > verdict["unbooked"] > 0
    assert "the books are right" in ask(ledger_url, "verify").stdout


def test_empty_books_pass(ledger_url: str) -> None:
    set_up(ledger_url, [])
    assert asked(ledger_url, "verify")["postings"] == 0


def test_a_changed_amount_is_found_in_every_check(ledger_url: str) -> None:
    changed = "UPDATE ledger.posting SET amount = 107 WHERE transaction_id = 1 AND line = 1"
    set_up(ledger_url, EVENTS, *UNGUARDED, changed)
    assert faults(ledger_url) == {
        ("unbalanced", "transaction 1", "sums to 7 USDT instead of 0"),
        ("balance", f"{WALLET} {DAY}", "is stored as 77, the journal sums to 84"),
        (
            "position",
            "payment P-1 of shop-eu at blockatm",
            f"{WALLET}: 107 posted, 100 expected",
        ),
    }


def test_a_lost_line_is_found(ledger_url: str) -> None:
    lost = "DELETE FROM ledger.posting WHERE transaction_id = 2 AND line = 1"
    set_up(ledger_url, EVENTS, *UNGUARDED, lost)
    kinds = {(kind, where) for kind, where, _ in faults(ledger_url)}
    assert ("broken", "transaction 2") in kinds
    assert ("count", "postings") in kinds


def test_a_lost_transaction_is_found_even_if_the_rest_balances(ledger_url: str) -> None:
    lost = ("posting WHERE transaction_id = 2", "transaction WHERE id = 2")
    set_up(ledger_url, EVENTS, *UNGUARDED, *(f"DELETE FROM ledger.{each}" for each in lost))
    found = faults(ledger_url)
    assert ("count", "transactions", "3 were posted, the journal has 2") in found
    assert ("count", "postings", "6 were posted, the journal has 4") in found
    assert ("balance", f"{PAYMENTS} {DAY}", "is stored as -107, the journal sums to -100") in found
    assert any(kind == "position" and "P-2" in where for kind, where, _ in found)


def test_a_transaction_whose_lines_are_all_lost_is_found(ledger_url: str) -> None:
    lost = "DELETE FROM ledger.posting WHERE transaction_id = 3"
    set_up(ledger_url, EVENTS, *UNGUARDED, lost)
    assert ("broken", "transaction 3", "has 0 lines, the last is None") in faults(ledger_url)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE ledger.balance SET amount = 1 WHERE amount = 77", "is stored as 1"),
        ("DELETE FROM ledger.balance WHERE amount = 77", "is stored as 0"),
        ("UPDATE ledger.balance SET postings = 1 WHERE amount = 77", "is stored as 77"),
    ],
)
def test_a_running_balance_that_differs_from_the_journal_is_found(
    ledger_url: str, change: str, what: str
) -> None:
    set_up(ledger_url, EVENTS, change)
    assert faults(ledger_url) == {("balance", f"{WALLET} {DAY}", f"{what}, the journal sums to 77")}


def test_a_position_that_differs_from_its_postings_is_found(ledger_url: str) -> None:
    changed = (
        "UPDATE ledger.position SET facts = jsonb_set(facts,"
        " '{totals,main,sides,seen,amounts,USDT,highest}', '\"9\"')"
        " WHERE provider_reference = 'P-2'"
    )
    set_up(ledger_url, EVENTS, changed)
    assert faults(ledger_url) == {
        (
            "position",
            "payment P-2 of shop-eu at blockatm",
            f"{PAYMENTS}: -7 posted, -9 expected; {WALLET}: 7 posted, 9 expected",
        )
    }


def test_money_moved_between_accounts_with_everything_in_balance_is_found(
    ledger_url: str,
) -> None:
    moved = (
        "UPDATE ledger.posting SET account_id ="
        " (SELECT id FROM ledger.account WHERE name LIKE '%payouts')"
        " WHERE transaction_id = 1 AND line = 2"
    )
    set_up(ledger_url, EVENTS, *UNGUARDED, moved)
    assert {kind for kind, _, _ in faults(ledger_url)} == {"balance", "position"}


def test_the_list_is_readable_and_the_status_is_one(ledger_url: str) -> None:
    set_up(ledger_url, EVENTS, "UPDATE ledger.balance SET amount = 1 WHERE amount = 77")
    result = ask(ledger_url, "verify")
    assert result.exit_code == 1
    assert "the books are wrong: 1 found" in result.stdout
    assert WALLET in result.stdout
    assert "recomputed: 3 transactions, 6 postings, 3 payments and payouts" in result.stdout


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE ledger.evidence SET body = '{}'", "differs from its digest in the journal"),
        ("UPDATE ledger.evidence SET raw = '{}'", "differs from its digest in the journal"),
        ("DELETE FROM ledger.evidence", "is missing"),
    ],
)
def test_evidence_that_was_changed_or_lost_is_found(
    ledger_url: str, change: str, what: str
) -> None:
    set_up(ledger_url, EVENTS[:1], change)
    assert faults(ledger_url) == {("evidence", f"event {EVENTS[0].id}", what)}


STRAYS = {
    "line 1 of transaction 4000": "transaction_id = 4000 WHERE line = 1",
    "line 2 of transaction 1": "account_id = gen_random_uuid() WHERE line = 2",
}


@pytest.mark.parametrize("where", STRAYS)
def test_a_line_without_transaction_or_account_is_found(ledger_url: str, where: str) -> None:
    set_up(
        ledger_url,
        EVENTS,
        *UNGUARDED,
        f"UPDATE ledger.posting SET {STRAYS[where]} AND transaction_id = 1",
    )
    missing = "its transaction is missing" if "4000" in where else "its account is missing"
    assert ("broken", where, missing) in faults(ledger_url)
