"""`payrouter inventory stock`, `set` and `orders`."""

from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.options import json_option, limit_option, whole_number

if TYPE_CHECKING:
    from consumers.runtime.settings import ConsumerSettings

MAX_ON_HAND = 10**15

STATUSES = (
    *("waiting", "reserved", "short", "committed", "oversold", "released"),
    *("lapsed", "cancelled", "returned"),
)
"""The statuses of `consumers.inventory.store.listing`, without importing it."""

_account = click.option("--account", help="Merchant; default: all.")


@click.command("stock", epilog=example("inventory stock"))
@settings_of("inventory")
@_account
@json_option
def stock(settings: "ConsumerSettings", account: str | None, *, as_json: bool) -> None:
    """Show the stock of every article, and how much is reserved or sold."""
    from consumers.inventory.commands_stock import show_stock

    show_stock(settings, account, as_json=as_json)


@click.command("set", epilog=example("inventory set tea 10"))
@settings_of("inventory")
@click.argument("sku")
@click.argument("quantity", type=whole_number(0, MAX_ON_HAND))
@click.option("--account", help="Merchant; default: the only one, or the first.")
@json_option
def set_(
    settings: "ConsumerSettings", sku: str, quantity: int, account: str | None, *, as_json: bool
) -> None:
    """Set how many of SKU there are, sold ones included.

    Covers orders that were sold beyond the stock first. The operation and its author
    are recorded.
    """
    from consumers.inventory.commands_stock import Counted, set_and_show

    set_and_show(settings, Counted(sku, quantity, account), as_json=as_json)


@click.command("orders", epilog=example("inventory orders --status short"))
@settings_of("inventory")
@click.option(
    "--status",
    type=click.Choice(STATUSES),
    metavar="STATUS",
    help=f"Only orders with this status: {', '.join(STATUSES)}.",
)
@_account
@limit_option(50)
@json_option
def orders(
    settings: "ConsumerSettings",
    status: str | None,
    account: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show the orders that changed last, and payments that wait for an order."""
    from consumers.inventory.commands_stock import show_orders

    show_orders(settings, status, account, limit, as_json=as_json)
