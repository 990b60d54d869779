"""`payrouter ledger balance` and `payrouter ledger statement`."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.moments import at_option, from_option, to_option
from consumers.ledger.statement import (
    Period,
    Selection,
    Transaction,
    TrialBalance,
    read_books,
    read_statement,
)
from consumers.ledger.unbooked import Unbooked, read_unbooked
from consumers.runtime.commands.one_consumer import (
    EXIT_PROBLEM,
    answered,
    json_option,
    show_json,
    show_table,
)
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading
from router.contract.amounts import amount_text

Answer = TypeVar("Answer")


@click.command
@at_option
@json_option
@click.pass_obj
def balance(settings: ConsumerSettings, at: datetime | None, *, as_json: bool) -> None:
    """Show what every account holds, per currency. Fails if the books do not balance."""
    books = answered(_asked(settings, partial(read_books, at=at)))
    if as_json:
        show_json(_books_json(books, at))
    else:
        _show(_books_table(books, at))
    sys.exit(0 if books.balanced else EXIT_PROBLEM)


@click.command
@click.option("--account", help="A ledger account, or how its name begins: shop-eu:blockatm")
@click.option("--order", help="The order's reference, or the gateway's number of the payment.")
@at_option
@from_option
@to_option
@click.option(
    "--unbooked", is_flag=True, help="Instead: money that moved, of which no amount is known."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@json_option
@click.pass_obj
def statement(  # noqa: PLR0913 - one argument per option
    settings: ConsumerSettings,
    *,
    account: str | None,
    order: str | None,
    at: datetime | None,
    since: datetime | None,
    before: datetime | None,
    unbooked: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show the newest transactions and their postings, oldest first."""
    if unbooked:
        if any(option is not None for option in (account, order, at, since, before)):
            message = "--unbooked goes with --limit and --json alone"
            raise click.UsageError(message)
        _show_unbooked(settings, limit, as_json=as_json)
        return
    wanted = Selection(account, order, Period(since, before, at), limit)
    transactions = answered(_asked(settings, partial(read_statement, wanted=wanted)))
    if as_json:
        show_json({"transactions": [_transaction_json(each) for each in transactions]})
    else:
        _show(_statement_table(transactions))


async def _asked(
    settings: ConsumerSettings, question: Callable[[AsyncConnection], Awaitable[Answer]]
) -> Answer:
    async with reading(settings, patient=True) as connection:
        return await question(connection)


def _books_json(books: TrialBalance, at: datetime | None) -> dict[str, object]:
    accounts = [
        {
            "account": named.account,
            "currency": named.currency,
            "balance": amount_text(named.amount),
            "networks": [
                {"network": part.network, "balance": amount_text(part.amount)}
                for part in named.parts
            ],
        }
        for named in books.named
    ]
    moment = {} if at is None else {"at": at.isoformat()}
    counted = {"balanced": books.balanced, "transactions": books.transactions}
    return {**moment, **counted, "accounts": accounts}


def _books_table(books: TrialBalance, at: datetime | None) -> Table:
    verdict = "balanced" if books.balanced else "NOT BALANCED"
    plural = "" if books.transactions == 1 else "s"
    moment = "" if at is None else f" up to {at.isoformat()}"
    title = f"{books.transactions} transaction{plural}{moment}, {verdict}"
    table = _table("account", "network", "currency", amount="balance", title=title)
    for balance in books.balances:
        amount = amount_text(balance.amount)
        _add(table, balance.account, balance.network or "", balance.currency, amount)
    return table


def _transaction_json(transaction: Transaction) -> dict[str, object]:
    postings = [
        {
            "account": line.account,
            "network": line.network,
            "currency": line.currency,
            "amount": amount_text(line.amount),
        }
        for line in transaction.lines
    ]
    return {
        "transaction": transaction.id,
        "posted_at": transaction.posted_at.isoformat(),
        "event_id": str(transaction.event_id),
        "type": transaction.type,
        "reference": transaction.reference,
        "provider_reference": transaction.provider_reference,
        "test": transaction.test,
        "unread": list(transaction.unread),
        "postings": postings,
    }


def _statement_table(transactions: Sequence[Transaction]) -> Table:
    table = _table("transaction and postings", amount="amount")
    for transaction in transactions:
        order = transaction.reference or transaction.provider_reference or ""
        posted = f"{transaction.posted_at:%Y-%m-%d %H:%M:%S}"
        test = "  test money" if transaction.test else ""
        _add(table, f"{transaction.id}  {posted}  {transaction.type}  {order}{test}", "")
        for line in transaction.lines:
            _add(table, f"   {line.account}", f"{amount_text(line.amount)} {line.currency}")
        table.add_section()
    return table


def _show_unbooked(settings: ConsumerSettings, limit: int, *, as_json: bool) -> None:
    found = answered(_asked(settings, partial(read_unbooked, limit=limit)))
    if as_json:
        show_json({"unbooked": [_unbooked_json(each) for each in found]})
        return
    show_table(
        f"{len(found)} not booked: the amount is not known",
        ("what", "order", "payment", "status", "changed", "why"),
        [
            (
                f"{each.family} of {each.account} at {each.provider}",
                each.reference or "",
                each.provider_reference or "",
                each.status or "",
                f"{each.changed_at:%Y-%m-%d %H:%M}",
                each.why,
            )
            for each in found
        ],
    )


def _unbooked_json(found: Unbooked) -> dict[str, object]:
    return {**vars(found), "changed_at": found.changed_at.isoformat()}


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
