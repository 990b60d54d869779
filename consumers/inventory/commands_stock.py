"""Shows stock and orders, and sets the stock of an article."""

from collections.abc import Sequence
from dataclasses import dataclass

import click
from pydantic import TypeAdapter, ValidationError

from consumers.inventory.setting import SetResult, TooFew, set_stock
from consumers.inventory.state.shelf import Stock
from consumers.inventory.store.listing import (
    ListedOrder,
    OrderSelection,
    read_orders,
    read_stock,
)
from consumers.inventory.tables import SCHEMA
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import RuntimeTables
from router.contract.amounts import amount_text
from router.contract.fields import MAX_TEXT, Text
from router.terminal.exits import CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async


@dataclass(frozen=True)
class Counted:
    """A count of an article; without an account it is the usual merchant's."""

    sku: str
    quantity: int
    account: str | None


def show_stock(settings: ConsumerSettings, account: str | None, *, as_json: bool) -> None:
    """Print the articles of one merchant or of all."""

    async def read() -> list[Stock]:
        async with reading(settings.listing) as connection:
            return list(await read_stock(connection, account))

    articles = run_async(read())
    if as_json:
        show_json({"stock": [_stock_json(each) for each in articles]})
        return
    numbers = ("on hand", "reserved", "committed", "available", "oversold")
    rows = [(each.account, each.sku, *_numbers(each)) for each in articles]
    _show("stock", ("account", "sku", *numbers), rows, numbers)


def set_and_show(settings: ConsumerSettings, counted: Counted, *, as_json: bool) -> None:
    """Set the stock of an article and print it; records the operation."""
    sku = counted.sku
    check_text("SKU", sku)
    whose = counted.account or _usual_account(settings)
    check_text("--account", whose)

    async def write() -> SetResult:
        async with acting(settings) as engine, engine.begin() as transaction:
            topic = settings.topics.outcome(SCHEMA)
            done = await set_stock(transaction, whose, sku, counted.quantity, topic)
            detail = f"{sku} of {whose} to {counted.quantity}"
            tables = RuntimeTables.of(SCHEMA)
            await record_operation(transaction, tables, operator_name(), "inventory set", detail)
            return done

    try:
        done = run_async(write())
    except TooFew as problem:
        raise CommandError(str(problem)) from None
    covered = [order.reference for order in done.covered]
    if as_json:
        show_json({**_stock_json(done.stock), "covered": covered})
        return
    article = done.stock
    line = f"{sku} of {whose}: {article.on_hand} on hand, {article.available} available"
    click.echo(f"{line}; covers {', '.join(covered)}" if covered else line)


def show_orders(settings: ConsumerSettings, wanted: OrderSelection, *, as_json: bool) -> None:
    """Print the orders that changed last."""

    async def read() -> list[ListedOrder]:
        async with reading(settings.listing) as connection:
            return list(await read_orders(connection, wanted))

    listed = run_async(read())
    if as_json:
        show_json({"orders": [_order_json(each) for each in listed]})
        return
    columns = ("account", "order", "status", "lines", "total", "changed")
    rows = [_order_row(each) for each in listed]
    _show("orders", columns, rows, ("total",))


def _show(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    numbers: Sequence[str],
) -> None:
    """Print a table whose first column is the merchant, or with the only merchant in the title.

    Otherwise order numbers would break at a terminal of 80 columns.
    """
    accounts = {str(row[0]) for row in rows}
    if len(accounts) == 1:
        title, columns, rows = f"{title} of {accounts.pop()}", columns[1:], [r[1:] for r in rows]
    show_table(title, columns, rows, numbers, whole=("order", "sku"))


def _usual_account(settings: ConsumerSettings) -> str:
    """Return the merchant if none is given: the one that `send order` takes."""
    usual = settings.orders.default_account or next(iter(settings.accounts), None)
    if usual is None:
        message = "--account: missing, and the configuration names no merchant"
        raise click.UsageError(message)
    return usual


def check_text(what: str, text: str) -> None:
    """Raise UsageError for text that no order or record can contain."""
    try:
        # An order could not contain any other text, so it would never be sold.
        TypeAdapter(Text).validate_python(text)
    except ValidationError:
        message = f"{what}: 1 to {MAX_TEXT} characters, none of them a control character"
        raise click.UsageError(message) from None


def _numbers(article: Stock) -> tuple[int, ...]:
    taken = (article.reserved, article.committed)
    return (article.on_hand, *taken, article.available, article.oversold)


def _stock_json(article: Stock) -> dict[str, object]:
    names = ("on_hand", "reserved", "committed", "available", "oversold")
    numbers = dict(zip(names, _numbers(article), strict=True))
    return {"account": article.account, "sku": article.sku, **numbers}


def _order_json(order: ListedOrder) -> dict[str, object]:
    waiting = {"provider": order.provider, "provider_reference": order.provider_reference}
    return {
        "account": order.account,
        "reference": order.reference,
        "status": order.status,
        "lines": [{"sku": sku, "quantity": number} for sku, number in order.lines.items()],
        "total": None if order.total is None else amount_text(order.total),
        "currency": order.currency,
        "expires_at": order.expires_at.isoformat() if order.expires_at else None,
        "updated_at": order.updated_at.isoformat(),
        "payment": {**waiting, "status": order.payment} if order.provider else None,
    }


def _order_row(order: ListedOrder) -> tuple[str, ...]:
    total = "" if order.total is None else f"{amount_text(order.total)} {order.currency}"
    lines = ", ".join(f"{sku}={number}" for sku, number in order.lines.items())
    if order.provider is not None:
        lines = f"{order.provider} {order.provider_reference or ''} is {order.payment or 'unknown'}"
    changed = f"{order.updated_at:%m-%d %H:%M:%S}"
    return (order.account, order.reference or "", order.status, lines, total, changed)
