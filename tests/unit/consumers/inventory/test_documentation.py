"""The examples of docs/inventory.md work as shown."""

import json
import re
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from consumers.cli import command_line
from consumers.inventory.measures import MEASURES
from consumers.inventory.policy import Policy
from router.configuration.settings import settings_from
from router.contract.order import Order, OrderLine
from router.contract.order_fields import OtherOrderMessage, read_order
from router.terminal.command_tree import CommandTree
from tests.parts.runtime.own_commands import group_of

TEXT = (Path(__file__).parents[4] / "docs" / "inventory.md").read_text(encoding="utf-8")


def shown(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_an_order_with_the_built_in_names_is_read() -> None:
    order = read_order(settings_from({}).order.fields)(shown("json")[0].encode(), [])
    assert isinstance(order, Order)
    assert order.lines == (OrderLine(sku="tea", quantity=2),)
    assert order.customer.language == "de"
    assert order.payments[0].provider_reference == "8210003616"


def test_the_platforms_order_is_read_by_the_mapping_shown() -> None:
    read = read_order(settings_from(tomllib.loads(shown("toml")[0])).order.fields)
    message = shown("json")[1]
    order = read(message.encode(), [])
    assert isinstance(order, Order)
    assert (order.account, order.reference) == ("shop-eu", "1001")
    assert order.lines == (OrderLine(sku="tea", quantity=2),)
    assert (order.total, order.currency) == (Decimal(30), "USDT")
    assert order.customer.email == "ann@example.com"
    shipped = json.loads(message) | {"topic": "orders/shipped"}
    assert isinstance(read(json.dumps(shipped).encode(), []), OtherOrderMessage)
    later = message.replace("03:04:05", "03:04:06")
    assert read(message.encode(), []).id == order.id != read(later.encode(), []).id


def test_every_key_of_the_mapping_is_named() -> None:
    fields = type(settings_from({}).order.fields).model_fields
    assert {name for name in fields if not re.search(rf"\b{name}\b", TEXT)} == set()


def test_the_policies_shown_are_the_defaults() -> None:
    told = tomllib.loads(shown("toml")[1])["consumers"]["inventory"]
    assert Policy.model_validate(told) == Policy()
    assert set(told) | {"underpaid_tolerance", "underpaid_cap"} == set(Policy.model_fields)


def test_the_page_names_every_metric() -> None:
    assert "payrouter_inventory_orders_reserved`, `_short`" in TEXT
    short = "payrouter_inventory_orders_short"
    assert {m.name for m in MEASURES if m.name not in TEXT} == {short}


def test_the_commands_shown_exist() -> None:
    inventory, send = group_of("inventory"), command_line().entries["send"].load()
    assert isinstance(inventory, CommandTree)
    assert isinstance(send, CommandTree)
    own = inventory.entries.keys()
    assert {"order", "blockatm"} <= send.entries.keys()
    for line in shown("sh")[0].splitlines():
        _, group, command, *_ = line.split()
        assert command in (own if group == "inventory" else {"order", "blockatm"}), line


def test_an_order_with_a_numeric_time_is_read() -> None:
    message = json.loads(shown("json")[0]) | {"at": 1767323045}
    order = read_order(settings_from({}).order.fields)(json.dumps(message).encode(), [])
    assert isinstance(order, Order)
    assert order.at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
