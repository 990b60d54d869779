"""Pages of a statement: together they are the whole statement, whatever is selected."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.ledger.reading.selection import LineFilter, Period, Selection
from consumers.ledger.reading.statement import (
    Line,
    Transaction,
    read_balances,
    read_statement,
    read_transaction,
)
from tests.parts.ledger.asked import asked, set_up
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.told import MOMENT, told

DAYS = 4
EVENTS = [
    told(
        "payment.confirmed",
        str(number + 1),
        payment=f"P-{number}",
        account=("shop-eu", "shop-us")[number % 3 == 0],
        currency=("USDT", "EUR")[number % 2],
        network=("Ethereum", "TRON")[number % 5 == 0],
        received_at=MOMENT + timedelta(days=number % DAYS),
        fee="0.1",
        fee_currency="USDT",
    )
    for number in range(30)
]

SELECTIONS = {
    "everything": Selection(),
    "a merchant": Selection(LineFilter("shop-us")),
    "allowed merchants": Selection(LineFilter(merchants=frozenset({"shop-eu"}))),
    "a purpose": Selection(LineFilter(purpose="fees")),
    "a network": Selection(LineFilter(network="TRON")),
    "a currency": Selection(LineFilter(currency="EUR")),
    "a currency of a merchant": Selection(LineFilter("shop-us", currency="EUR")),
    "no such currency": Selection(LineFilter(currency="XYZ")),
    "no such currency of a merchant": Selection(LineFilter("shop-us", currency="XYZ")),
    "days": Selection(period=Period(first=date(2026, 1, 3), last=date(2026, 1, 4))),
    "from a day": Selection(LineFilter("shop-eu"), period=Period(first=date(2026, 1, 4))),
    "days of a merchant": Selection(
        LineFilter("shop-eu"), period=Period(first=date(2026, 1, 3), last=date(2026, 1, 4))
    ),
    "an order": Selection(order="order of P-3"),
    "an order of a merchant": Selection(LineFilter("shop-us"), order="order of P-3"),
    "an order of another merchant": Selection(LineFilter("shop-eu"), order="order of P-3"),
}


async def pages(
    connection: AsyncConnection, wanted: Selection, size: int
) -> list[list[Transaction]]:
    """Return all pages of a selection, the newest first."""
    found, below = [], wanted.below
    while page := await read_statement(
        connection, Selection(wanted.lines, wanted.order, wanted.period, size, below)
    ):
        assert below is None or page[-1].id < below
        found.append(list(page)[::-1])
        below = page[0].id
    return found


def expected(wanted: Selection, every: list[Transaction]) -> list[int]:
    """Return the numbers of a selection, newest first, in the plainest way."""
    kept = []
    for each in every:
        first, last = wanted.period.first or date.min, wanted.period.last or date.max
        on_time = first <= each.day <= last
        named = wanted.order in {None, each.reference}
        if on_time and named and any(_matches(wanted.lines, line) for line in each.lines):
            kept.append(each.id)
    return sorted(kept, reverse=True)


def _matches(lines: LineFilter, line: Line) -> bool:
    merchant, _, purpose, *_ = line.account.split(":")
    return all(
        (
            lines.account in {None, merchant},
            lines.merchants is None or merchant in lines.merchants,
            lines.purpose in {None, purpose},
            lines.network in {None, line.network},
            lines.currency in {None, line.currency},
        )
    )


@pytest.mark.parametrize("name", SELECTIONS)
async def test_pages_of_any_size_are_the_selection(ledger: AsyncEngine, name: str) -> None:
    await applied(ledger, *EVENTS)
    wanted = SELECTIONS[name]
    async with ledger.connect() as connection:
        every = list(await read_statement(connection))
        for size in (1, 4, 50):
            found = await pages(connection, wanted, size)
            numbers = [each.id for page in found for each in page]
            assert numbers == expected(wanted, every)
            assert all(len(page) == size for page, _ in pairwise(found))


async def test_a_selection_shows_only_its_lines(ledger: AsyncEngine) -> None:
    await applied(ledger, *EVENTS)
    fees = LineFilter(purpose="fees")
    async with ledger.connect() as connection:
        (newest,) = await read_statement(connection, Selection(fees, limit=1))
        assert {line.account.split(":")[2] for line in newest.lines} == {"fees"}
        whole = await read_transaction(connection, newest.id)
    assert whole is not None
    assert len(whole.lines) > len(newest.lines)


async def test_a_transaction_of_another_merchant_is_missing(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.confirmed", "5"))
    async with ledger.connect() as connection:
        found = [
            await read_transaction(connection, 1, LineFilter(merchants=frozenset({merchant})))
            for merchant in ("shop-eu", "shop-us")
        ]
        assert [each and each.id for each in found] == [1, None]
        assert await read_transaction(connection, 2) is None


async def test_balances_of_allowed_merchants_name_no_other(ledger: AsyncEngine) -> None:
    await applied(ledger, *EVENTS)
    async with ledger.connect() as connection:
        lines = LineFilter(merchants=frozenset({"shop-us"}))
        for through in (None, date(2026, 1, 3)):
            found = await read_balances(connection, through=through, lines=lines)
            assert {each.merchant for each in found} == {"shop-us"}
        assert not await read_balances(connection, lines=LineFilter(merchants=frozenset()))


def test_the_command_turns_pages_too(ledger_url: str) -> None:
    set_up(ledger_url, EVENTS)
    options = ("--currency", "EUR", "--first", "2026-01-03", "--through", "2026-01-04")
    every = asked(ledger_url, "statement", *options)["transactions"]
    newest = asked(ledger_url, "statement", *options, "--limit", "2")["transactions"]
    below = str(newest[0]["transaction"])
    older = asked(ledger_url, "statement", *options, "--below", below)["transactions"]
    assert [*older, *newest] == every
