"""Output of `payrouter ledger`, as tables and as JSON, and its errors."""

import pytest
from sqlalchemy import make_url

from router.contract.event import Raw
from tests.parts.ledger.asked import UNGUARDED, ask, asked, set_up
from tests.parts.ledger.told import told

EVENTS = (
    told("payment.confirmed", "100.50"),
    told("payment.confirmed", "7", payment="P-2", provider="blockbee", network="[red]Bitcoin"),
    told("payout.confirmed", "100.50", payment="W-1"),
)


@pytest.fixture
def booked(ledger_url: str) -> str:
    """Return the URL of a ledger with three transactions."""
    set_up(ledger_url, EVENTS)
    return ledger_url


def test_balance_as_json_lists_every_account_with_exact_text_amounts(booked: str) -> None:
    bitcoin = "[red]Bitcoin"
    assert asked(booked, "balance") == {
        "balanced": True,
        "transactions": 3,
        "accounts": [
            {
                "account": account,
                "currency": "USDT",
                "balance": balance,
                "networks": [{"network": network, "balance": balance}],
            }
            for account, network, balance in (
                ("shop-eu:blockatm:payments", "Ethereum", "-100.50"),
                ("shop-eu:blockatm:payouts", "Ethereum", "100.50"),
                ("shop-eu:blockatm:wallet:Ethereum", "Ethereum", "0.00"),
                ("shop-eu:blockbee:payments", bitcoin, "-7"),
                (f"shop-eu:blockbee:wallet:{bitcoin}", bitcoin, "7"),
            )
        ],
    }


def test_accounts_of_two_networks_share_a_name_unless_they_are_wallets(ledger_url: str) -> None:
    other = told("payment.confirmed", "5", payment="P-2", network="TRON")
    unnamed = told("payment.confirmed", "3", payment="P-3", network=None)
    set_up(ledger_url, [told("payment.confirmed", "100"), other, unnamed])
    found = {
        each["account"].split(":", 2)[2]: (
            each["balance"],
            {part["network"]: part["balance"] for part in each["networks"]},
        )
        for each in asked(ledger_url, "balance")["accounts"]
    }
    assert found == {
        "payments": ("-108", {"Ethereum": "-100", "TRON": "-5", None: "-3"}),
        "wallet": ("3", {None: "3"}),
        "wallet:Ethereum": ("100", {"Ethereum": "100"}),
        "wallet:TRON": ("5", {"TRON": "5"}),
    }


def test_balance_of_empty_books_is_balanced(ledger_url: str) -> None:
    set_up(ledger_url, [])
    empty = {"balanced": True, "transactions": 0, "accounts": []}
    assert asked(ledger_url, "balance") == empty


def test_balance_without_json_is_a_table_with_unmodified_names(booked: str) -> None:
    result = ask(booked, "balance")
    assert result.exit_code == 0
    assert "3 transactions, balanced" in result.stdout
    assert "[red]Bitcoin" in result.stdout


def test_unbalanced_books_exit_with_status_1(ledger_url: str) -> None:
    tampering = "UPDATE ledger.balance SET amount = amount * 2 WHERE amount > 100"
    set_up(ledger_url, EVENTS, tampering)
    assert asked(ledger_url, "balance", status=1)["balanced"] is False
    assert "NOT BALANCED" in ask(ledger_url, "balance").stdout


def test_books_unbalanced_at_a_time_exit_with_status_1(ledger_url: str) -> None:
    tampering = "UPDATE ledger.posting SET amount = amount * 2 WHERE line = 1"
    set_up(ledger_url, EVENTS, *UNGUARDED, tampering)
    assert asked(ledger_url, "balance", "--at", "2999-01-01", status=1)["balanced"] is False


def statement(url: str, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = asked(url, "statement", *arguments)["transactions"]
    return found


def test_a_statement_shows_transactions_with_their_postings_oldest_first(booked: str) -> None:
    first, *others = statement(booked)
    assert [each["transaction"] for each in (first, *others)] == [1, 2, 3]
    assert first["event_id"] == str(EVENTS[0].id)
    assert first["type"] == "payment.confirmed"
    assert first["reference"] == "order of P-1"
    assert first["provider_reference"] == "P-1"
    assert first["postings"] == [
        {
            "account": account,
            "network": "Ethereum",
            "currency": "USDT",
            "amount": amount,
        }
        for account, amount in (
            ("shop-eu:blockatm:wallet:Ethereum", "100.50"),
            ("shop-eu:blockatm:payments", "-100.50"),
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--limit", "2"], [2, 3]),
        (["--order", "order of P-2"], [2]),
        (["--order", "W-1"], [3]),
        (["--order", "unheard of"], []),
        (["--account", "shop-eu"], [1, 2, 3]),
        (["--account", "shop"], []),
        (["--account", "shop-eu:blockatm"], [1, 3]),
        (["--account", "shop-eu:blockatm", "--limit", "1"], [3]),
        (["--account", "shop-eu:blockatm:payments", "--order", "P-1"], [1]),
    ],
)
def test_a_statement_can_be_filtered(
    booked: str, arguments: list[str], expected: list[int]
) -> None:
    assert [each["transaction"] for each in statement(booked, *arguments)] == expected


def test_a_statement_of_one_account_shows_its_lines_only(booked: str) -> None:
    (found,) = statement(booked, "--account", "shop-eu:blockatm:payouts")
    assert found["postings"] == [
        {
            "account": "shop-eu:blockatm:payouts",
            "network": "Ethereum",
            "currency": "USDT",
            "amount": "100.50",
        }
    ]


def test_a_statement_without_json_is_a_table(booked: str) -> None:
    result = ask(booked, "statement")
    assert result.exit_code == 0
    assert "payout.confirmed" in result.stdout


@pytest.mark.parametrize("command", ["balance", "statement", "verify", "export"])
def test_an_unreachable_database_is_reported_in_one_line_without_the_password(command: str) -> None:
    result = ask("postgresql+asyncpg://user:hunter2@127.0.0.1:1/books", command)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("payrouter: cannot read the database books on 127.0.0.1")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.stderr


def test_a_missing_database_is_reported_in_one_line(database_url: str) -> None:
    elsewhere = make_url(database_url).set(database="nowhere")
    result = ask(elsewhere.render_as_string(hide_password=False), "balance")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "nowhere" in result.stderr


@pytest.mark.parametrize("command", ["balance", "statement", "verify", "export"])
def test_a_missing_schema_error_names_the_command_that_creates_it(
    database_url: str, command: str
) -> None:
    result = ask(database_url, command)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "payrouter db upgrade" in result.stderr


def test_a_statement_shows_test_money_and_unread_fields(ledger_url: str) -> None:
    raw = Raw(
        method="POST",
        target="/",
        headers={},
        body='{"test":true,"unread":["x"],"quoted":"\\"test\\":true"}',
        body_encoding="utf-8",
    )
    odd = told("payment.confirmed", "1", unread=["network", "occurred_at"], raw=raw)
    tried = told("payment.confirmed", "1", payment="P-2", test=True, account="shop-test", raw=raw)
    set_up(ledger_url, [odd, tried, told("payment.confirmed", "1", payment="P-3", raw=raw)])

    found = statement(ledger_url)

    assert [(each["test"], each["unread"]) for each in found] == [
        (False, ["network", "occurred_at"]),
        (True, []),
        (False, []),
    ]
    assert ask(ledger_url, "statement").stdout.count("test money") == 1
