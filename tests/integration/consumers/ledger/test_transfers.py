"""`payrouter ledger transfer` moves money between two accounts of a merchant, with a reason."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import TRANSACTION
from consumers.ledger.reading.selection import of_order
from router.terminal.operator_name import operator_name
from tests.parts.ledger.asked import ask, asked, set_up
from tests.parts.ledger.told import LARGEST, told
from tests.parts.ledger.transferring import (
    BANK,
    EXCHANGE,
    OVERPAID,
    PAYMENTS,
    SUSPENSE,
    WALLET,
    amounts,
    transfer,
)


@pytest.fixture
def overpaid(ledger_url: str) -> str:
    """Return the URL of a ledger with 20 USDT in suspense."""
    set_up(ledger_url, [OVERPAID])
    return ledger_url


BEFORE = {"wallet:Ethereum USDT": "120", "payments USDT": "-100", "suspense USDT": "-20"}


def test_a_transfer_is_taken_from_one_balance_and_added_to_the_other(overpaid: str) -> None:
    found = transfer(overpaid, PAYMENTS, SUSPENSE, "20", "USDT")
    assert amounts(overpaid) == {**BEFORE, "payments USDT": "-120", "suspense USDT": "0"}
    assert found["done"]
    assert found["warnings"] == []
    assert [(each["account"], each["before"], each["after"]) for each in found["balances"]] == [
        (PAYMENTS, "-100", "-120"),
        (SUSPENSE, "-20", "0"),
    ]
    assert asked(overpaid, "verify")["transfers"] == 1


def test_without_yes_the_balances_are_shown_and_nothing_changes(overpaid: str) -> None:
    words = ("transfer", PAYMENTS, SUSPENSE, "20", "USDT", "--reason", "tip")
    shown = ask(overpaid, *words)
    assert shown.exit_code == 0
    assert "would move 20 USDT from" in shown.stdout
    assert "--yes does it" in shown.stdout
    found = asked(overpaid, *words)
    assert (found["done"], found["transfer"], found["transaction"]) == (False, None, None)
    assert amounts(overpaid) == BEFORE
    assert asked(overpaid, "verify")["transfers"] == 0


def test_the_largest_and_the_smallest_amount_are_exact(ledger_url: str) -> None:
    set_up(ledger_url, [told("payment.confirmed", LARGEST)])
    transfer(ledger_url, WALLET, BANK, LARGEST, "USDT")
    transfer(ledger_url, BANK, WALLET, "0.000000000000000001", "USDT")
    assert amounts(ledger_url) == {
        "wallet:Ethereum USDT": "0.000000000000000001",
        "bank USDT": "99999999999999999999.999999999999999998",
        "payments USDT": f"-{LARGEST}",
    }
    assert asked(ledger_url, "verify")["good"]


@pytest.mark.parametrize("purpose", ["bank", "exchange", "write_off"])
def test_a_transfer_opens_an_account_that_no_event_posts_to(overpaid: str, purpose: str) -> None:
    account = f"shop-eu:blockatm:{purpose}"
    found = transfer(overpaid, WALLET, account, "5", "USDT")
    assert found["warnings"] == [f"{account} is new"]
    assert transfer(overpaid, account, WALLET, "5", "USDT")["warnings"] == []
    assert amounts(overpaid)[f"{purpose} USDT"] == "0"


def test_an_account_with_a_colon_in_a_part_is_named_as_it_is_printed(ledger_url: str) -> None:
    set_up(ledger_url, [told("payment.confirmed", "1", account="shop:50%")])
    transfer(
        ledger_url,
        "shop%3A50%25:blockatm:wallet:Ethereum",
        "shop%3A50%25:blockatm:bank",
        "1",
        "USDT",
    )
    assert asked(ledger_url, "statement", "--account", "shop%3A50%25:blockatm:bank")
    assert asked(ledger_url, "verify")["good"]


def test_one_network_of_an_account_with_two_is_named(ledger_url: str) -> None:
    other = told("payment.confirmed", "5", payment="P-2", network="TRON")
    unnamed = told("payment.confirmed", "3", payment="P-3", network=None)
    set_up(ledger_url, [told("payment.confirmed", "100"), other, unnamed])
    words = ("1", "USDT", "--reason", "x", "--yes")
    unclear = ask(ledger_url, "transfer", PAYMENTS, BANK, *words)
    assert unclear.exit_code == 1
    assert f"{PAYMENTS} is on 3 networks" in unclear.stderr
    for network in ("Ethereum", "TRON", ""):
        assert f"{PAYMENTS}@{network}" in unclear.stderr
        transfer(ledger_url, f"{PAYMENTS}@{network}", BANK, "1", "USDT")
    found = asked(ledger_url, "balance")["accounts"]
    (payments,) = [each for each in found if each["account"] == PAYMENTS]
    assert {part["network"]: part["balance"] for part in payments["networks"]} == {
        "Ethereum": "-101",
        "TRON": "-6",
        None: "-4",
    }


def test_an_exchange_is_two_transfers_with_a_balance_in_each_currency(overpaid: str) -> None:
    transfer(overpaid, WALLET, EXCHANGE, "120", "USDT")
    found = transfer(overpaid, EXCHANGE, BANK, "110.10", "EUR")
    assert found["warnings"] == [f"{BANK} is new"]
    after = amounts(overpaid)
    assert (after["exchange USDT"], after["exchange EUR"]) == ("120", "-110.10")
    assert after["bank EUR"] == "110.10"
    assert asked(overpaid, "verify")["good"]


def statement(url: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(url, "statement", *arguments)["transactions"]
    return found


def test_a_transfer_may_have_happened_earlier(overpaid: str) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    midnight = f"{yesterday}T00:30:00+01:00"
    transfer(overpaid, WALLET, BANK, "5", "USDT", "--at", midnight)
    (posted,) = statement(overpaid, "--account", BANK)
    assert posted["day"] == str(yesterday - timedelta(days=1))
    assert asked(overpaid, "verify")["good"]


def test_a_statement_shows_who_moved_the_money_and_why(overpaid: str) -> None:
    found = transfer(overpaid, PAYMENTS, SUSPENSE, "20", "USDT", "--reference", "A-1")
    paid, moved = statement(overpaid, "--order", "A-1")
    assert (paid["transfer"], paid["event_id"]) == (None, str(OVERPAID.id))
    assert (moved["type"], moved["event_id"], moved["test"]) == ("transfer", None, None)
    assert moved["transaction"] == found["transaction"]
    assert moved["transfer"] == {
        "id": found["transfer"],
        "who": operator_name(),
        "reason": "kept as a tip",
        "undoes": None,
    }
    assert [(each["account"], each["amount"]) for each in moved["postings"]] == [
        (SUSPENSE, "20"),
        (PAYMENTS, "-20"),
    ]
    table = ask(overpaid, "statement").stdout
    assert f"by {operator_name()}: kept as a tip" in table
    assert found["transfer"] in table


def test_a_transfer_is_on_the_record_of_operations(overpaid: str) -> None:
    found = transfer(overpaid, PAYMENTS, SUSPENSE, "20", "USDT")
    (line,) = ask(overpaid, "export", "--operations").stdout.splitlines()[-2:-1]
    record = json.loads(line)
    assert (record["what"], record["who"]) == ("ledger transfer", operator_name())
    assert record["detail"] == (
        f"{found['transfer']}: 20 USDT from {PAYMENTS} to {SUSPENSE}: kept as a tip"
    )


def test_an_export_has_the_transfer_in_columns_at_its_end(overpaid: str) -> None:
    found = transfer(overpaid, PAYMENTS, SUSPENSE, "20", "USDT", "--reference", "A-1")
    written = ask(overpaid, "export").stdout
    *_, gained, lost = csv.DictReader(io.StringIO(written))
    assert list(gained)[-5:] == ["amount", "transfer_id", "who", "reason", "undoes"]
    assert (gained["amount"], lost["amount"]) == ("20", "-20")
    for line in (gained, lost):
        assert (line["event_id"], line["type"], line["reference"]) == ("", "transfer", "A-1")
        assert (line["transfer_id"], line["reason"]) == (found["transfer"], "kept as a tip")
        assert (line["who"], line["undoes"]) == (operator_name(), "")
    assert written.splitlines()[1].endswith(",,,,")


def test_a_transfer_is_undone_once_by_another_one(overpaid: str) -> None:
    first = transfer(overpaid, PAYMENTS, SUSPENSE, "20", "USDT", "--reference", "A-1")["transfer"]
    undone = transfer(overpaid, "--undo", first[:8], reason="a mistake")
    assert undone["undoes"] == first
    assert amounts(overpaid) == BEFORE
    again = ask(overpaid, "transfer", "--undo", first, "--reason", "x", "--yes")
    assert again.exit_code == 1
    assert f"{first} is already undone by {undone['transfer']}" in again.stderr
    chain = ask(overpaid, "transfer", "--undo", undone["transfer"], "--reason", "x", "--yes")
    assert chain.exit_code == 1
    assert "make that transfer again" in chain.stderr
    *_, last = statement(overpaid, "--order", "A-1")
    assert last["transfer"]["undoes"] == first
    assert asked(overpaid, "verify")["transfers"] == 2


def test_what_an_operator_hardly_wants_is_a_warning(overpaid: str) -> None:
    def warnings(*words: str) -> list[str]:
        found: list[str] = asked(overpaid, "transfer", *words, "USDT", "--reason", "x")["warnings"]
        return found

    assert warnings(WALLET, BANK, "120.5") == [
        f"{BANK} is new",
        f"{WALLET} is overdrawn: -0.5 USDT is below zero",
    ]
    assert warnings(SUSPENSE, PAYMENTS, "20") == [
        f"{SUSPENSE} moves away from zero, to -40 USDT; to clear it, name it as TO"
    ]
    assert warnings(WALLET, SUSPENSE, "50") == [
        f"{SUSPENSE} moves away from zero, to 30 USDT; to clear it, name it as FROM"
    ]
    assert warnings(WALLET, PAYMENTS, "101") == [f"{PAYMENTS} is overdrawn: 1 USDT is above zero"]
    assert warnings(PAYMENTS, SUSPENSE, "20") == []


def test_a_warning_compares_all_digits_of_a_balance(overpaid: str) -> None:
    transfer(overpaid, SUSPENSE, BANK, "99999999999999999999", "USDT")
    least = ("0.000000000000000001", "USDT", "--reason", "x")
    balance = "-100000000000000000019.000000000000000001 USDT"
    assert asked(overpaid, "transfer", SUSPENSE, BANK, *least)["warnings"] == [
        f"{SUSPENSE} moves away from zero, to {balance}; to clear it, name it as TO"
    ]


def test_an_equal_transfer_of_today_is_a_warning_unless_it_was_undone(overpaid: str) -> None:
    words = (WALLET, BANK, "5", "USDT")
    first = transfer(overpaid, *words)["transfer"]
    (warning,) = asked(overpaid, "transfer", *words, "--reason", "x")["warnings"]
    assert warning.startswith("the same was posted at ")
    assert warning.endswith(f" by {operator_name()}: {first}")
    transfer(overpaid, "--undo", first)
    assert asked(overpaid, "transfer", *words, "--reason", "x")["warnings"] == []


def test_events_after_a_transfer_post_what_they_would_have_posted_without_it(
    ledger_url: str,
) -> None:
    paid = told("payment.confirmed", "7", payment="P-2")
    set_up(ledger_url, [told("payment.underpaid", "80"), paid])
    transfer(ledger_url, PAYMENTS, SUSPENSE, "80", "USDT")
    set_up(ledger_url, [told("payment.confirmed", "100", at=1)])
    assert amounts(ledger_url) == {
        "wallet:Ethereum USDT": "107",
        "payments USDT": "-187",
        "suspense USDT": "80",
    }
    assert asked(ledger_url, "verify")["good"]


async def test_a_statement_of_an_order_is_found_by_indexes_of_both_causes(
    ledger: AsyncEngine,
) -> None:
    query = select(TRANSACTION.c.id).where(of_order("A-1")).compile(ledger.sync_engine)
    values = tuple(query.params[name] for name in query.positiontup or ())
    async with ledger.connect() as connection:
        await connection.execute(text("SET enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {query}", values)
        plan = "\n".join(rows.scalars())
    assert "Seq Scan" not in plan
    indexes = ("event_reference", "event_provider_reference", "transfer_reference")
    for index in (*indexes, "transaction_event_id_key", "transaction_transfer"):
        assert index in plan
