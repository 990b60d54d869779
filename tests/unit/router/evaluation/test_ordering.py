"""`payrouter send order` simulates the platform: its orders are read back unchanged."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.configuration.settings import Settings, settings_from
from router.contract.order import Order, OrderType
from router.errors import ConfigurationError
from router.evaluation.ordering import (
    NotPlaced,
    PlacedOrder,
    PlaceOrder,
    check_mapping,
    numbered,
    order_message,
    ordering,
    usual_account,
)
from tests.parts.edge.edge_command import NoConsumers, edge_commands


def settings(**tables: object) -> Settings:
    endpoint = {"provider": "blockatm", "account": "shop-eu", "secrets": ["s"]}
    return settings_from({"endpoints": {"shop": endpoint}, **tables})


def placed(reference: str = "A-1", quantity: int = 2) -> Order:
    lines = [{"sku": "tea", "quantity": quantity}]
    facts = {"lines": lines, "total": "30", "currency": "USDT"}
    return order_message(OrderType.PLACED, "shop-eu", reference, **facts)


def test_repeated_order_is_the_same_message_and_another_is_another() -> None:
    assert placed().id == placed().id
    cancelled = order_message(OrderType.CANCELLED, "shop-eu", "A-1")
    assert len({placed().id, placed("A-2").id, placed(quantity=3).id, cancelled.id}) == 4


def test_several_orders_are_distinguished_by_a_number() -> None:
    one = placed()
    assert numbered(one, 1) == [one]
    many = numbered(placed(), 3)
    assert [order.reference for order in many] == ["A-1-1", "A-1-2", "A-1-3"]
    assert len({order.id for order in many}) == 3
    assert {order.lines for order in many} == {placed().lines}


def test_default_account_of_an_order() -> None:
    assert usual_account(settings()) == "shop-eu"
    assert usual_account(settings(order={"fields": {"default_account": "other"}})) == "other"
    with pytest.raises(ConfigurationError, match="--account"):
        usual_account(settings_from({}))


def test_order_that_would_be_read_differently_is_not_written() -> None:
    check_mapping(settings(), placed())
    for fields in ({"total": "/sum"}, {"reference": "/order/number"}):
        with pytest.raises(ConfigurationError, match=r"order\.fields"):
            check_mapping(settings(order={"fields": fields}), placed())


async def test_unreachable_broker_is_reported_in_one_line() -> None:
    away = settings(kafka={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(NotPlaced, match=r"127\.0\.0\.1:1"):
        async with ordering(away):
            pass


@contextlib.asynccontextmanager
async def recorded(_settings: Settings) -> AsyncIterator[PlaceOrder]:
    """Discard orders: only the output is tested."""

    async def place(order: Order) -> PlacedOrder:
        return PlacedOrder(order, "order-0", 7)

    yield place


def send(folder: Path, *arguments: str) -> Result:
    config = folder / "payrouter.toml"
    config.write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n', encoding="utf-8")
    where = ("--config", str(config), "--data-dir", str(folder / "data"))
    return CliRunner().invoke(
        edge_commands(), ["send", "order", *arguments, *where], obj=NoConsumers()
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--line", "tea"), "--line: tea is not SKU=QUANTITY"),
        (("--line", "tea=x"), "--line: tea=x is not SKU=QUANTITY"),
        (("--line", "tea=0"), "lines.0.quantity"),
        (("--line", "=1"), "lines.0.sku"),
        (("--total", "a lot"), "total: "),
        (("--ttl", "0"), "time_to_live_seconds"),
        (("--order", ""), "reference"),
    ],
    ids=str,
)
def test_invalid_order_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    refused = send(tmp_path, "--account", "shop-eu", *arguments)
    assert isinstance(refused.exception, ConfigurationError)
    assert problem in str(refused.exception)


def test_sent_order_is_printed_as_text_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.commands.actions.send_order.ordering", recorded)
    options = ("--account", "shop-eu", "--line", "tea=2", "--line", "a=b=1", "--total", "30")
    said = send(tmp_path, *options, "--email", "ann@example.com", "--language", "de", "--ttl", "9")
    line = "sent order.placed A-1 of shop-eu: tea=2, a=b=1, 30 USDT, to order-0 offset 7\n"
    assert said.stdout == line
    order = json.loads(send(tmp_path, *options, "--json").stdout)["order"]
    assert (order["total"], order["lines"][1]) == ("30", {"sku": "a=b", "quantity": 1})
    cancelled = send(tmp_path, "--account", "shop-eu", "--cancel", "--count", "2").stdout
    assert cancelled.splitlines()[1] == "sent order.cancelled A-1-2 of shop-eu to order-0 offset 7"


def test_send_lists_the_gateways_that_can_be_simulated(tmp_path: Path) -> None:
    del tmp_path
    shown = CliRunner().invoke(edge_commands(), ["send", "--help"]).stdout
    assert "order " in shown
    assert "Send what blockatm would send." in shown
