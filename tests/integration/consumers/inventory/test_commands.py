"""Output of `payrouter inventory`, as tables and as JSON, and its errors."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.measures import MEASURES
from consumers.inventory.policy import Policy
from consumers.inventory.service import SERVICE
from consumers.inventory.setting import PLAYED
from consumers.runtime.commands.actions.held_admin import list_operations
from consumers.runtime.service import MeasureReading, Play, Setup
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.tables import RuntimeTables
from router.contract.order_fields import OrderFields
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import Shop, ordered, paid
from tests.parts.runtime.own_commands import run_own

ACCOUNTS = ("shop-eu", "shop-us")


def ask(url: str, *arguments: str, **settings: Any) -> Result:  # noqa: ANN401 - any field
    usual = ConsumerSettings(
        "inventory", connection_to(), SecretStr(url), Topics(), Tuning(), accounts=ACCOUNTS
    )
    return run_own(SERVICE, replace(usual, **settings), arguments)


def told(url: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    result = ask(url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def within(url: str, act: Callable[[Shop], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Run a function on the inventory at a URL."""

    async def done() -> Any:  # noqa: ANN401 - the result of `act`
        return await act(Shop(create_async_engine(url, poolclass=NullPool)))

    return asyncio.run(done())


@pytest.fixture
def sold(inventory_url: str) -> str:
    """Return the URL of an inventory with A-1 committed, A-2 reserved, and a waiting payment."""

    async def sell(shop: Shop) -> None:
        await shop.set("tea", 10)
        await shop.set("tea", 7, account="shop-us")
        lines = [{"sku": "tea", "quantity": 3}]
        await shop.each(order(), paid(), ordered(2, lines=lines))
        await shop.apply(paid("pending", reference="[red]A-9", provider_reference="P-9"))

    within(inventory_url, sell)
    return inventory_url


def article(account: str, *numbers: int) -> dict[str, object]:
    names = ("on_hand", "reserved", "committed", "available", "oversold")
    return {"account": account, "sku": "tea", **dict(zip(names, numbers, strict=True))}


def test_stock_as_json_has_every_number(sold: str) -> None:
    eu, us = article("shop-eu", 10, 3, 2, 5, 0), article("shop-us", 7, 0, 0, 7, 0)
    assert told(sold, "stock") == {"stock": [eu, us]}
    assert told(sold, "stock", "--account", "shop-us") == {"stock": [us]}


def test_stock_without_json_fits_a_terminal(sold: str) -> None:
    shown = ask(sold, "stock").stdout
    assert "available" in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


def test_orders_as_json_name_lines_and_total(sold: str) -> None:
    first, second, waiting = told(sold, "orders")["orders"]
    assert (first["reference"], first["status"], first["total"]) == ("A-1", "committed", "30.00")
    assert second["lines"] == [{"sku": "tea", "quantity": 3}]
    assert (waiting["reference"], waiting["status"]) == ("[red]A-9", "waiting")
    assert waiting["payment"] == {
        "provider": "blockatm",
        "provider_reference": "P-9",
        "status": "pending",
    }


@pytest.mark.parametrize(
    ("arguments", "references"),
    [
        (("--status", "reserved"), ["A-2"]),
        (("--status", "waiting"), ["[red]A-9"]),
        (("--status", "oversold"), []),
        (("--account", "shop-us"), []),
        (("--limit", "2"), ["A-2", "[red]A-9"]),
    ],
    ids=str,
)
def test_orders_are_filtered(sold: str, arguments: tuple[str, ...], references: list[str]) -> None:
    found = told(sold, "orders", *arguments)["orders"]
    assert [each["reference"] for each in found] == references


def test_orders_without_json_show_names_unmodified(sold: str) -> None:
    shown = ask(sold, "orders").stdout
    for word in ("[red]A-9", "committed", "tea=3", "30.00 USDT", "blockatm P-9 is pending"):
        assert word in shown


def test_set_prints_the_new_stock_and_records_the_operator(sold: str) -> None:
    result = ask(sold, "set", "tea", "6")
    assert result.stdout == "tea of shop-eu: 6 on hand, 1 available\n"
    assert told(sold, "set", "tea", "8", "--account", "shop-us")["on_hand"] == 8

    async def done(shop: Shop) -> Any:  # noqa: ANN401 - rows
        async with shop.engine.connect() as connection:
            return await list_operations(connection, RuntimeTables.of("inventory"))

    whats = [(each.what, each.detail) for each in within(sold, done)]
    assert whats == [
        ("inventory set", "tea of shop-eu to 6"),
        ("inventory set", "tea of shop-us to 8"),
    ]


def test_set_refuses_less_than_is_reserved_and_sold(sold: str) -> None:
    result = ask(sold, "set", "tea", "4")
    assert result.exit_code == 1
    assert "2 sold and 3 reserved" in result.stderr
    assert "at least 5" in result.stderr
    assert told(sold, "stock")["stock"][0] == article("shop-eu", 10, 3, 2, 5, 0)


def test_set_names_the_orders_it_covers(inventory_url: str) -> None:
    within(inventory_url, lambda shop: shop.each(order(), paid()))
    assert ask(inventory_url, "set", "tea", "5").stdout.endswith("3 available; covers A-1\n")


def test_set_prefers_the_account_of_the_orders_to_that_of_the_endpoints(
    inventory_url: str,
) -> None:
    fields = OrderFields(default_account="shop-of-orders")
    assert "of shop-of-orders" in ask(inventory_url, "set", "tea", "1", orders=fields).stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("set", "tea", "-1"), "'-1'"),
        (("set", "tea", "1.5"), "QUANTITY"),
        (("set", "", "1"), "SKU"),
        (("set", "a\x01b", "1"), "SKU"),
        (("set", "tea", "1"), "--account: missing"),
        (("orders", "--status", "gone"), "--status"),
    ],
    ids=str,
)
def test_a_usage_error_names_the_invalid_value(
    inventory_url: str, arguments: tuple[str, ...], problem: str
) -> None:
    result = ask(inventory_url, *arguments, accounts=())
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_missing_schema_is_reported_in_one_line(database_url: str) -> None:
    result = ask(database_url, "stock")
    assert result.exit_code == 1
    assert "payrouter db upgrade" in result.stderr


def test_the_metrics_count(sold: str) -> None:
    async def read(shop: Shop) -> dict[str, MeasureReading]:
        await shop.apply(paid(reference="A-8"))
        await shop.expire("A-2")
        await shop.apply(ordered(3, lines=[{"sku": "mug", "quantity": 1}]))
        await shop.each(ordered(4, lines=[{"sku": "pot", "quantity": 1}]), paid(reference="A-4"))
        async with shop.engine.connect() as connection:
            return {m.name.split("inventory_")[1]: await m.read(connection) for m in MEASURES}

    assert within(sold, read) == {
        "orders_reserved": 1,
        "orders_overdue": 1,
        "orders_short": 1,
        "orders_oversold": 1,
        "payments_waiting": 2,
        "paid_payments_waiting": 1,
        "troubles": 1,
    }


async def _stocked_for_play(shop: Shop) -> Any:  # noqa: ANN401 - stock
    before_play = SERVICE.actions(Setup(Policy(), Topics())).before_play
    assert before_play is not None
    await before_play(shop.engine, Play(["shop-eu"], ["mug", "tea"]))
    return await shop.stock()


def test_simulated_traffic_fills_only_empty_stock(sold: str) -> None:
    stock = within(sold, _stocked_for_play)
    assert stock == {"mug": (PLAYED, 0, 0, 0), "tea": (10, 3, 2, 0)}


def test_simulated_traffic_fills_the_stock_that_an_earlier_run_has_sold(sold: str) -> None:
    async def sell_out(shop: Shop) -> Any:  # noqa: ANN401 - stock
        await shop.set("tea", 5)
        return await _stocked_for_play(shop)

    assert within(sold, sell_out)["tea"] == (5 + PLAYED, 3, 2, 0)
