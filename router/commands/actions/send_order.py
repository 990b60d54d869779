"""Places orders as the merchant's platform does, or cancels them."""

import json
from collections.abc import Sequence
from typing import Any

import click
from pydantic import ValidationError

from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
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
from router.terminal.exits import CommandError
from router.terminal.processes import run_async


def send_orders(
    invocation: Invocation,
    account: str | None,
    count: int,
    *,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - options
) -> None:
    """Send `count` orders to their topic and print partition and offset of each."""
    settings = load_settings(invocation)
    first = _message(account or usual_account(settings), **asked)
    check_mapping(settings, first)
    try:
        run_async(_send(settings, numbered(first, count), as_json=as_json))
    except NotPlaced as problem:
        raise CommandError(str(problem)) from None


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
        message = f"--line: {text} is not SKU=QUANTITY, such as tea=2"
        raise ConfigurationError(message)
    return {"sku": sku, "quantity": int(quantity)}


async def _send(settings: Settings, orders: Sequence[Order], *, as_json: bool) -> None:
    async with ordering(settings) as place:
        for order in orders:
            placed = await place(order)
            click.echo(json.dumps(placed.as_json()) if as_json else str(placed))
