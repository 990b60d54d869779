"""`payrouter inventory stock`, `set`, `orders` and `decide`."""

from functools import partial
from typing import TYPE_CHECKING

import click

from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.options import (
    DATA_DIR,
    json_option,
    limit_option,
    whole_number,
)
from router.terminal.typed import typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumers.runtime.settings import ConsumerSettings

MAX_ON_HAND = 10**15

STATUSES = (
    *("waiting", "reserved", "short", "committed", "oversold", "released"),
    *("lapsed", "cancelled", "returned"),
)
"""The statuses of `consumers.inventory.store.listing`, without importing it."""

DECISIONS = ("accept", "refuse", "return")
"""The values of `router.contract.operator.Decision`, without importing it."""

WAIT_SECONDS = 5
"""How long `decide` waits by default until the consumer has applied the decision."""

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
@click.option("--order", help="Only the order with this number, and payments that name it.")
@limit_option(50)
@json_option
def orders(
    settings: "ConsumerSettings",
    status: str | None,
    account: str | None,
    order: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show the orders that changed last, and payments that wait for an order."""
    from consumers.inventory.commands_stock import show_orders
    from consumers.inventory.store.listing import OrderSelection

    wanted = OrderSelection(status, account, order, limit=limit)
    show_orders(settings, wanted, as_json=as_json)


@click.command(
    "decide",
    epilog=example('inventory decide A-1 accept --reason "paid in cash"'),
)
@settings_of("inventory")
@click.argument("order")
@click.argument("decision", type=click.Choice(DECISIONS), metavar="accept|refuse|return")
@click.option("--account", help="Merchant; needed if several have an order of this number.")
@click.option("--reason", required=True, help="Why; stored permanently, with your name.")
@click.option("--version", metavar="VERSION", help="Version of the order that was shown.")
@click.option("--yes", is_flag=True, help="Do it. Without, only show the order and the effect.")
@click.option(
    "--wait",
    type=whole_number(0, 3600),
    default=WAIT_SECONDS,
    show_default=True,
    help="Seconds to wait until the consumer has applied it.",
)
@json_option
def decide(  # noqa: PLR0913 - one argument per option
    settings: "ConsumerSettings",
    order: str,
    decision: str,
    account: str | None,
    *,
    reason: str,
    version: str | None,
    yes: bool,
    wait: int,
    as_json: bool,
) -> None:
    """Decide whether ORDER counts as paid, even if its amounts differ.

    accept sells it. refuse does not; stock that was sold before stays with the customer. return
    does not sell it either, and gives its stock back. Without --yes the command only shows the
    order, the effect of the decision, and the version to decide about. With --yes it fails if
    the order has changed since that version.
    """
    if yes != (version is not None):
        message = "--yes and --version need each other; without both, the version is shown"
        raise click.UsageError(message)
    from consumers.inventory.deciding.deciding import DecisionRequest, decide_and_show
    from consumers.inventory.deciding.reading import OrderName
    from router.contract.operator import Decision

    why = reason.strip()
    place = click.get_current_context().params
    named = {"account": account, "reason": why, "config": place["config"]}
    repeat = partial(_repeated, [order, decision], {**named, "data-dir": place["data_dir"]})
    request = DecisionRequest(
        OrderName(order, account), Decision(decision), why, version, repeat, patience=wait
    )
    decide_and_show(settings, request, as_json=as_json)


def _repeated(arguments: "Sequence[str]", options: "Mapping[str, object]", version: str) -> str:
    """Return the command that decides about a version, as it is typed."""
    given = {**options, "version": version}
    known = {f"--{name}": str(each) for name, each in given.items() if each not in {None, DATA_DIR}}
    return typed("payrouter inventory decide", arguments, known, ["--yes"])
