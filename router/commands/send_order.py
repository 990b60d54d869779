"""`payrouter send`: one command per gateway, and one for the platform and its orders."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import click
from pydantic import ValidationError

from router.commands.invocation import Invocation, invoked, json_option
from router.configuration.settings import Settings
from router.contract.order import Order, OrderType
from router.contract.wire import first_problem
from router.errors import ConfigurationError
from router.evaluation.ordering import (
    NotPlaced,
    check_mapping,
    numbered,
    order_message,
    ordering,
    usual_account,
)


@click.command("order")
@click.option(
    "--order", "--reference", "reference", default="A-1", show_default=True, help="Its number."
)
@click.option("--account", help="Whose it is; default: the only merchant, or the first.")
@click.option(
    "--line",
    "lines",
    multiple=True,
    metavar="SKU=QUANTITY",
    help="What is bought, once for each article; default: tea=1.",
)
@click.option("--total", default="100.50", show_default=True, help="What it costs.")
@click.option("--currency", default="USDT", show_default=True, help="In which currency.")
@click.option("--email", help="The customer's.")
@click.option("--language", help="The customer's, such as de.")
@click.option("--ttl", type=int, metavar="SECONDS", help="How long its reservation holds.")
@click.option("--cancel", is_flag=True, help="Call it off instead.")
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    help="How many orders; with more than one, -1, -2 and so on follow the number.",
)
@invoked
@json_option
def send_order(
    invocation: Invocation,
    *,
    account: str | None,
    count: int,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - options
) -> None:
    """Place an order as the merchant's platform does, or call it off."""
    settings = invocation.settings()
    first = _message(account or usual_account(settings), **asked)
    check_mapping(settings, first)
    try:
        asyncio.run(_send(settings, numbered(first, count), as_json=as_json))
    except NotPlaced as problem:
        raise click.ClickException(str(problem)) from None


def _message(  # noqa: PLR0913 - one argument per option
    account: str,
    *,
    reference: str,
    lines: Sequence[str],
    total: str,
    currency: str,
    email: str | None,
    language: str | None,
    ttl: int | None,
    cancel: bool,
) -> Order:
    customer = {"email": email, "language": language}
    placed = {
        "lines": [_line(each) for each in lines or ("tea=1",)],
        "total": total,
        "currency": currency,
        "time_to_live_seconds": ttl,
    }
    kind = OrderType.CANCELLED if cancel else OrderType.PLACED
    facts = {} if cancel else placed
    try:
        return order_message(kind, account, reference, customer=customer, **facts)
    except ValidationError as error:
        raise ConfigurationError(first_problem(error)) from None


def _line(text: str) -> dict[str, object]:
    sku, separator, quantity = text.rpartition("=")
    if not separator or not quantity.isascii() or not quantity.isdigit():
        message = f"--line: {text} is no SKU=QUANTITY, such as tea=2"
        raise ConfigurationError(message)
    return {"sku": sku, "quantity": int(quantity)}


async def _send(settings: Settings, orders: Sequence[Order], *, as_json: bool) -> None:
    async with ordering(settings) as place:
        for order in orders:
            placed = await place(order)
            click.echo(json.dumps(placed.as_json()) if as_json else str(placed))
