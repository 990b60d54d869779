"""Balances, statement, month and transaction: over HTTP, as page, CSV and JSON."""

import csv
import json
import re
from decimal import Decimal
from html import unescape
from io import StringIO

import pytest

from tests.parts.console.browsing import PageShown
from tests.parts.console.kept_books import MANY, PAYER, PAYMENTS, KeptBooks

_TOKEN = re.compile(r'name="csrf" value="[0-9a-f]+"')
LISTS = ("", "/statement", "/month", "/orders", "/stock", "/messages")
pytestmark = pytest.mark.asyncio(loop_scope="module")

WALLET = "shop-eu:blockatm:wallet:Ethereum"


def rows(shown: PageShown) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    assert shown.status == 200, shown.text
    return list(csv.DictReader(StringIO(shown.text, newline="")))


def amounts(shown: PageShown, name: str = "balance") -> dict[str, Decimal]:
    """Return the amounts of a CSV file by account."""
    return {row["account"]: Decimal(row[name]) for row in rows(shown)}


def links(shown: PageShown) -> list[str]:
    """Return the paths that a page leads to."""
    return [unescape(each) for each in re.findall(r'href="(/[^"]*)"', shown.text)]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("language", ["en", "de"])
async def test_every_list_is_a_page_with_its_command(
    books: KeptBooks, path: str, language: str
) -> None:
    shown = await books.get(f"/books{path}?lang={language}")
    assert shown.status == 200, shown.text
    assert "<code>payrouter " in shown.text
    assert shown.text.count("<h1>") == 1
    assert '<th scope="col"' in shown.text


@pytest.mark.parametrize("path", LISTS)
async def test_csv_and_json_of_every_list_have_the_same_rows(books: KeptBooks, path: str) -> None:
    listed = rows(await books.get(f"/books{path}.csv"))
    told = json.loads((await books.get(f"/books{path}.json")).text)
    assert len(listed) == len(told) > 0
    assert [list(each) for each in listed] == [list(each) for each in told]


@pytest.mark.parametrize("path", LISTS)
async def test_no_list_shows_another_account(books: KeptBooks, path: str) -> None:
    for form in ("", ".csv", ".json"):
        shown = await books.get(f"/books{path}{form}?zone=utc", "uli")
        assert "shop-us" in shown.text
        assert "shop-eu" not in shown.text
        assert "A-1" not in shown.text


@pytest.mark.parametrize("path", ["", "/statement", "/month", "/orders", "/stock", "/messages"])
async def test_asking_for_another_account_finds_nothing(books: KeptBooks, path: str) -> None:
    months = "&month=2026-01" if path == "/month" else ""
    assert rows(await books.get(f"/books{path}.csv?account=shop-eu{months}", "uli")) == []
    assert rows(await books.get(f"/books{path}.csv?account=shop-eu{months}", "ana"))


async def test_balances_at_a_day_are_those_of_the_command(books: KeptBooks) -> None:
    path = "/books{}?account=shop-eu&at=2026-01-31"
    page = await books.get(path.format(""))
    command = "payrouter ledger balance --account shop-eu --through 2026-01-31"
    assert f"<code>{command}</code>" in page.text
    found = amounts(await books.get(path.format(".csv")))
    assert found[WALLET] == Decimal("29.99999999")
    assert sum(found.values()) == 0
    assert amounts(await books.get("/books.csv?account=shop-eu"))[WALLET] == Decimal("529.99999998")


async def test_balances_of_a_month_as_csv_take_three_clicks(books: KeptBooks) -> None:
    first = await books.get("/")
    assert "/books" in links(first)
    second = await books.get("/books")
    (month, *_) = [each for each in links(second) if "account=shop-eu&at=" in each]
    third = await books.get(month)
    (download,) = [each for each in links(third) if each.startswith("/books.csv?")]
    every = amounts(await books.get("/books.csv?account=shop-eu"))
    assert amounts(await books.get(download)) == every


async def test_a_small_amount_has_no_exponent(books: KeptBooks) -> None:
    page = await books.get("/books?account=shop-us:blockatm:fees")
    assert ">0.00000001</td>" in page.text


async def test_a_month_is_reconciled_and_names_its_movements(books: KeptBooks) -> None:
    path = "/books/month{}?month=2026-01&account=shop-eu"
    assert "explain every closing balance" in (await books.get(path.format(""))).text
    wallet = [row for row in rows(await books.get(path.format(".csv"))) if row["account"] == WALLET]
    assert [(row["movement"], row["amount"]) for row in wallet] == [
        ("Opening balance", "0"),
        ("payment.confirmed", "29.99999999"),
        ("Closing balance", "29.99999999"),
    ]


async def test_a_statement_is_that_of_its_command(books: KeptBooks) -> None:
    page = await books.get("/books/statement?account=shop-eu&first=2026-01-01")
    assert "payrouter ledger statement --account shop-eu --first 2026-01-01" in page.text
    found = rows(await books.get("/books/statement.csv?account=shop-eu"))
    assert {row["order"] for row in found} == {"A-1", "'=A-3"}


async def test_a_statement_turns_pages_without_a_gap(books: KeptBooks) -> None:
    path, shown = f"/books/statement?account={MANY}:blockatm:payments", []
    while path:
        page = await books.get(path)
        shown += re.findall(r'href="/books/transaction/([0-9]+)"', page.text)
        found = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = unescape(found[1]) if found else ""
    assert len(shown) == PAYMENTS > 50
    assert [int(each) for each in shown] == sorted({int(each) for each in shown}, reverse=True)


async def test_a_transaction_shows_postings_and_event(books: KeptBooks) -> None:
    page = await books.get("/books/transaction/1")
    for word in (WALLET, "30", "payment.confirmed", "shop-eu", PAYER):
        assert word in page.text
    assert "payrouter ledger statement --below 2 --limit 1" in page.text


async def test_the_event_in_full_is_personal(books: KeptBooks) -> None:
    page = await books.get("/books/transaction/1", "sam")
    assert page.status == 200
    assert PAYER not in page.text


@pytest.mark.parametrize("path", ["transaction/1", "transaction/999", "transaction/x"])
async def test_rows_of_another_account_look_missing(books: KeptBooks, path: str) -> None:
    shown = await books.get(f"/books/{path}", "uli")
    assert shown.status == 404
    missing = (await books.get(f"/books/{path}9", "uli")).text.replace(f"{path}9", path)
    assert _TOKEN.sub("", shown.text) == _TOKEN.sub("", missing)


@pytest.mark.parametrize(
    "query",
    [
        "?at=yesterday",
        "?after=x",
        "/statement?first=1.1.2026",
        "/statement?after=WyJhIl0",
        "/month?month=13",
        "/orders?after=W10",
        "/messages?after=x",
        "/stock?after=%00",
    ],
)
async def test_a_wrong_filter_is_named(books: KeptBooks, query: str) -> None:
    shown = await books.get(f"/books{query}")
    assert shown.status == 400
    assert "has a wrong value" in shown.text
