"""`payrouter inventory stock`, `set` and `orders`."""

from collections.abc import Sequence

import click
from pydantic import TypeAdapter, ValidationError

from consumers.inventory.listing import STATUSES, ListedOrder, read_orders, read_stock
from consumers.inventory.setting import SetResult, TooFew, set_stock
from consumers.inventory.shelf import Stock
from consumers.inventory.tables import SCHEMA
from consumers.runtime.commands.held_admin import record_operation
from consumers.runtime.commands.one_consumer import (
    answered,
    json_option,
    operator,
    show_json,
    show_table,
)
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import RuntimeTables
from router.contract.amounts import amount_text
from router.contract.event import MAX_TEXT, Text

MAX_ON_HAND = 10**15

_account = click.option("--account", help="Whose; default: every merchant.")


@click.command
@_account
@json_option
@click.pass_obj
def stock(settings: ConsumerSettings, account: str | None, *, as_json: bool) -> None:
    """Show what there is of every article, and what of it is reserved or sold."""

    async def read() -> list[Stock]:
        async with reading(settings) as connection:
            return list(await read_stock(connection, account))

    articles = answered(read())
    if as_json:
        show_json({"stock": [_stock_json(each) for each in articles]})
        return
    numbers = ("on hand", "reserved", "committed", "available", "oversold")
    rows = [(each.account, each.sku, *_numbers(each)) for each in articles]
    _show("stock", ("account", "sku", *numbers), rows, numbers)


@click.command("set")
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(0, MAX_ON_HAND))
@click.option("--account", help="Whose; default: the only merchant, or the first.")
@json_option
@click.pass_obj
def set_(
    settings: ConsumerSettings, sku: str, quantity: int, account: str | None, *, as_json: bool
) -> None:
    """Set how many of SKU there are, sold ones included. Who did so is kept.

    What was oversold is covered first.
    """
    whose = account or _usual_account(settings)
    _check_text("SKU", sku)
    _check_text("--account", whose)

    async def write() -> SetResult:
        async with acting(settings) as engine, engine.begin() as transaction:
            topic = settings.topics.outcome(SCHEMA)
            done = await set_stock(transaction, whose, sku, quantity, topic)
            detail = f"{sku} of {whose} to {quantity}"
            tables = RuntimeTables.of(SCHEMA)
            await record_operation(transaction, tables, operator(), "inventory set", detail)
            return done

    try:
        done = answered(write())
    except TooFew as problem:
        raise click.ClickException(str(problem)) from None
    covered = [order.reference for order in done.covered]
    if as_json:
        show_json({**_stock_json(done.stock), "covered": covered})
        return
    article = done.stock
    said = f"{sku} of {whose}: {article.on_hand} on hand, {article.available} available"
    click.echo(f"{said}; covers {', '.join(covered)}" if covered else said)


@click.command
@click.option("--status", type=click.Choice(STATUSES), help="Only those that are so.")
@_account
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@json_option
@click.pass_obj
def orders(
    settings: ConsumerSettings,
    status: str | None,
    account: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show the orders that changed last, and payments that wait for an order."""

    async def read() -> list[ListedOrder]:
        async with reading(settings) as connection:
            return list(await read_orders(connection, status, account, limit))

    listed = answered(read())
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
    """Print a table whose first column is the merchant; where there is one only, the title says it.

    Else order numbers would be torn on a terminal of 80 columns.
    """
    accounts = {str(row[0]) for row in rows}
    if len(accounts) == 1:
        title, columns, rows = f"{title} of {accounts.pop()}", columns[1:], [r[1:] for r in rows]
    show_table(title, columns, rows, numbers, whole=("order", "sku"))


def _usual_account(settings: ConsumerSettings) -> str:
    """Return whose stock is meant where nobody says: as `send order` takes it."""
    usual = settings.orders.default_account or next(iter(settings.accounts), None)
    if usual is None:
        message = "--account: say whose; the configuration names no merchant here"
        raise click.UsageError(message)
    return usual


def _check_text(what: str, text: str) -> None:
    try:
        # What an order could never say would never be sold.
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
        lines = (
            f"{order.provider} {order.provider_reference or ''} is {order.payment or 'unheard of'}"
        )
    changed = f"{order.updated_at:%m-%d %H:%M:%S}"
    return (order.account, order.reference or "", order.status, lines, total, changed)
