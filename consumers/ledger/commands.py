"""`payrouter ledger balance` and `payrouter ledger statement`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.statement import Books, Transaction, read_books, read_statement
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store import StoreUnavailable, reading
from router.contract.amounts import amount_text

Answer = TypeVar("Answer")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.command
@_as_json
@click.pass_obj
def balance(settings: ConsumerSettings, *, as_json: bool) -> None:
    """Show what every account holds, per currency. Fails if the books do not balance."""
    books = _ask(settings, read_books)
    if as_json:
        click.echo(json.dumps(_books_json(books), ensure_ascii=False))
    else:
        _show(_books_table(books))
    sys.exit(0 if books.balanced else 1)


@click.command
@click.option("--account", help="A ledger account, or how its name begins: shop-eu:blockatm")
@click.option("--order", help="The order's reference, or the gateway's number of the payment.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@_as_json
@click.pass_obj
def statement(
    settings: ConsumerSettings, account: str | None, order: str | None, limit: int, *, as_json: bool
) -> None:
    """Show the newest transactions and their postings, oldest first."""

    async def read(connection: AsyncConnection) -> Sequence[Transaction]:
        return await read_statement(connection, account, order, limit)

    transactions = _ask(settings, read)
    if as_json:
        click.echo(json.dumps(_statement_json(transactions), ensure_ascii=False))
    else:
        _show(_statement_table(transactions))


def _ask(
    settings: ConsumerSettings, question: Callable[[AsyncConnection], Awaitable[Answer]]
) -> Answer:
    """Read an answer from the database, or end the command with one line."""

    async def answered() -> Answer:
        async with reading(settings) as connection:
            return await question(connection)

    try:
        return asyncio.run(answered())
    except StoreUnavailable as problem:
        raise click.ClickException(str(problem)) from None


def _books_json(books: Books) -> dict[str, object]:
    accounts = [
        {
            "account": balance.account,
            "currency": balance.currency,
            "balance": amount_text(balance.amount),
        }
        for balance in books.balances
    ]
    return {"balanced": books.balanced, "transactions": books.transactions, "accounts": accounts}


def _books_table(books: Books) -> Table:
    verdict = "balanced" if books.balanced else "NOT BALANCED"
    plural = "" if books.transactions == 1 else "s"
    title = f"{books.transactions} transaction{plural}, {verdict}"
    table = _table("account", "currency", amount="balance", title=title)
    for balance in books.balances:
        _add(table, balance.account, balance.currency, amount_text(balance.amount))
    return table


def _statement_json(transactions: Sequence[Transaction]) -> dict[str, object]:
    return {"transactions": [_transaction_json(transaction) for transaction in transactions]}


def _transaction_json(transaction: Transaction) -> dict[str, object]:
    postings = [
        {"account": line.account, "currency": line.currency, "amount": amount_text(line.amount)}
        for line in transaction.lines
    ]
    return {
        "transaction": transaction.id,
        "posted_at": transaction.posted_at.isoformat(),
        "event_id": str(transaction.event_id),
        "type": transaction.type,
        "reference": transaction.reference,
        "provider_reference": transaction.provider_reference,
        "postings": postings,
    }


def _statement_table(transactions: Sequence[Transaction]) -> Table:
    table = _table("transaction and postings", amount="amount")
    for transaction in transactions:
        order = transaction.reference or transaction.provider_reference or ""
        posted = f"{transaction.posted_at:%Y-%m-%d %H:%M:%S}"
        _add(table, f"{transaction.id}  {posted}  {transaction.type}  {order}", "")
        for line in transaction.lines:
            _add(table, f"   {line.account}", f"{amount_text(line.amount)} {line.currency}")
        table.add_section()
    return table


def _table(*columns: str, amount: str, title: str | None = None) -> Table:
    """Begin a table whose last column is an amount; what is too long goes on in the next line."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    table.add_column(amount, justify="right", no_wrap=True)
    return table


def _show(table: Table) -> None:
    # A pipe has no width of its own: leave the lines whole.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _add(table: Table, *cells: str) -> None:
    # As text: a payer's reference may look like rich's markup.
    table.add_row(*(Text(cell) for cell in cells))
