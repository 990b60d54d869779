"""What `payrouter ledger` prints, for people and for programs, and how it fails."""

import asyncio
import json
from collections.abc import Callable, Sequence

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger import SERVICE
from consumers.ledger.handler import handle
from consumers.runtime.migrate import upgrade
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.event import Event
from router.contract.topics import Topics
from tests.consumers.ledger.told import told

Ledger = Callable[..., Result]

EVENTS = (
    told("payment.confirmed", "100.50"),
    told("payment.confirmed", "7", payment="P-2", provider="blockbee", network="[red]Bitcoin"),
    told("payout.confirmed", "100.50", payment="W-1"),
)


def ask(url: str, *arguments: str) -> Result:
    group = click.Group(commands={command.name or "": command for command in SERVICE.commands})
    settings = ConsumerSettings("ledger", {}, SecretStr(url), Topics(), Tuning())
    return CliRunner().invoke(group, arguments, obj=settings)


async def set_up(url: str, events: Sequence[Event], *statements: str) -> None:
    engine: AsyncEngine = create_async_engine(url, poolclass=NullPool)
    await upgrade(engine, SERVICE)
    async with engine.begin() as transaction:
        await handle(transaction, events)
        for statement in statements:
            await transaction.execute(text(statement))


@pytest.fixture
def booked(database_url: str) -> str:
    """Give the URL of a ledger with three transactions."""
    asyncio.run(set_up(database_url, EVENTS))
    return database_url


def test_balance_as_json_lists_every_account_with_exact_text_amounts(booked: str) -> None:
    result = ask(booked, "balance", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "balanced": True,
        "transactions": 3,
        "accounts": [
            {"account": account, "currency": "USDT", "balance": balance}
            for account, balance in (
                ("shop-eu:blockatm:payments", "-100.50"),
                ("shop-eu:blockatm:payouts", "100.50"),
                ("shop-eu:blockatm:wallet:Ethereum", "0.00"),
                ("shop-eu:blockbee:payments", "-7"),
                ("shop-eu:blockbee:wallet:[red]Bitcoin", "7"),
            )
        ],
    }


def test_balance_of_empty_books_is_balanced(database_url: str) -> None:
    asyncio.run(set_up(database_url, []))
    result = ask(database_url, "balance", "--json")
    assert json.loads(result.stdout) == {"balanced": True, "transactions": 0, "accounts": []}


def test_balance_for_people_is_a_table_that_takes_names_as_they_are(booked: str) -> None:
    result = ask(booked, "balance")
    assert result.exit_code == 0
    assert "3 transactions, balanced" in result.stdout
    assert "[red]Bitcoin" in result.stdout


def test_books_out_of_balance_end_with_one(database_url: str) -> None:
    tampering = (
        "ALTER TABLE ledger.posting DISABLE TRIGGER ALL",
        "UPDATE ledger.posting SET amount = amount * 2 WHERE line = 1 AND transaction_id = 1",
    )
    asyncio.run(set_up(database_url, EVENTS, *tampering))
    result = ask(database_url, "balance", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["balanced"] is False
    assert "NOT BALANCED" in ask(database_url, "balance").stdout


def statement(url: str, *arguments: str) -> list[dict[str, object]]:
    result = ask(url, "statement", "--json", *arguments)
    assert result.exit_code == 0
    found: list[dict[str, object]] = json.loads(result.stdout)["transactions"]
    return found


def test_a_statement_shows_transactions_with_their_postings_oldest_first(booked: str) -> None:
    first, *others = statement(booked)
    assert [each["transaction"] for each in (first, *others)] == [1, 2, 3]
    assert first["event_id"] == str(EVENTS[0].id)
    assert first["type"] == "payment.confirmed"
    assert first["reference"] == "order of P-1"
    assert first["provider_reference"] == "P-1"
    assert first["postings"] == [
        {"account": "shop-eu:blockatm:wallet:Ethereum", "currency": "USDT", "amount": "100.50"},
        {"account": "shop-eu:blockatm:payments", "currency": "USDT", "amount": "-100.50"},
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
def test_a_statement_may_be_narrowed(
    booked: str, arguments: list[str], expected: list[int]
) -> None:
    assert [each["transaction"] for each in statement(booked, *arguments)] == expected


def test_a_statement_of_one_account_shows_its_lines_only(booked: str) -> None:
    (found,) = statement(booked, "--account", "shop-eu:blockatm:payouts")
    assert found["postings"] == [
        {"account": "shop-eu:blockatm:payouts", "currency": "USDT", "amount": "100.50"}
    ]


def test_a_statement_for_people_is_a_table(booked: str) -> None:
    result = ask(booked, "statement")
    assert result.exit_code == 0
    assert "payout.confirmed" in result.stdout


@pytest.mark.parametrize("command", ["balance", "statement"])
def test_a_database_that_does_not_answer_is_one_line_without_the_password(command: str) -> None:
    result = ask("postgresql+asyncpg://user:hunter2@127.0.0.1:1/books", command)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: cannot read the database books on 127.0.0.1")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.stderr


def test_a_database_that_does_not_exist_is_one_line(database_url: str) -> None:
    elsewhere = make_url(database_url).set(database="nowhere")
    result = ask(elsewhere.render_as_string(hide_password=False), "balance")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "nowhere" in result.stderr


@pytest.mark.parametrize("command", ["balance", "statement"])
def test_a_schema_that_is_missing_names_the_command_that_makes_it(
    database_url: str, command: str
) -> None:
    result = ask(database_url, command)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "payrouter db upgrade" in result.stderr
