"""Shows balances and statements."""

import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.reading.month import AccountMonth, read_month
from consumers.ledger.reading.selection import LineFilter, Selection
from consumers.ledger.reading.statement import (
    Balance,
    Transaction,
    TransferCause,
    TrialBalance,
    named_balances,
    read_balances,
    read_books,
    read_statement,
)
from consumers.ledger.reading.unbooked import Unbooked, read_unbooked
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading
from router.contract.amounts import amount_text
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

_Answer = TypeVar("_Answer")


def show_balance(
    settings: ConsumerSettings, at: datetime | None, through: date | None, *, as_json: bool
) -> None:
    """Print all balances; exits with status 1 if the books do not balance."""
    books = run_async(_asked(settings, partial(read_books, at=at, through=through)))
    moment = at or through
    if as_json:
        show_json(_books_json(books, moment))
    else:
        _show_books(books, moment)
    sys.exit(0 if books.balanced else EXIT_PROBLEM)


def show_balances_of(
    settings: ConsumerSettings,
    wanted: LineFilter,
    at: datetime | None,
    through: date | None,
    *,
    as_json: bool,
) -> None:
    """Print the balances of some accounts, which need not sum to zero."""
    question = partial(read_balances, at=at, through=through, lines=wanted)
    found = run_async(_asked(settings, question))
    if as_json:
        show_json({**_moment_json(at or through), "accounts": _accounts_json(found)})
    else:
        _show_balances(f"balances{_until(at or through)}", found)


def show_month(
    settings: ConsumerSettings, first: date, wanted: LineFilter, *, as_json: bool
) -> None:
    """Print a month; exits with status 1 if journal and balances differ."""
    found = run_async(_asked(settings, partial(read_month, first=first, lines=wanted)))
    reconciled = all(each.is_reconciled for each in found)
    if as_json:
        accounts = [month_json(each) for each in found]
        show_json({"month": f"{first:%Y-%m}", "reconciled": reconciled, "accounts": accounts})
    else:
        verdict = "reconciled with the journal" if reconciled else "NOT RECONCILED"
        columns = ("account", "movement", "currency", "amount")
        rows = [row for each in found for row in _month_rows(each)]
        show_table(f"{first:%Y-%m}, {verdict}", columns, rows, numbers=columns[3:])
    sys.exit(0 if reconciled else EXIT_PROBLEM)


def show_statement(settings: ConsumerSettings, wanted: Selection, *, as_json: bool) -> None:
    """Print transactions with their postings."""
    transactions = run_async(_asked(settings, partial(read_statement, wanted=wanted)))
    if as_json:
        show_json({"transactions": [_transaction_json(each) for each in transactions]})
    else:
        columns = ("transaction and postings", "amount")
        show_table("", columns, _statement_rows(transactions), numbers=columns[1:])


def show_unbooked(settings: ConsumerSettings, limit: int, *, as_json: bool) -> None:
    """Print payments and payouts that are not booked because no amount is known."""
    found = run_async(_asked(settings, partial(read_unbooked, limit=limit)))
    if as_json:
        show_json({"unbooked": [_unbooked_json(each) for each in found]})
        return
    title = f"{len(found)} not booked: the amount is not known"
    columns = ("what", "order", "payment", "status", "changed", "why")
    show_table(title, columns, [_unbooked_row(each) for each in found])


async def _asked(
    settings: ConsumerSettings, question: Callable[[AsyncConnection], Awaitable[_Answer]]
) -> _Answer:
    async with reading(settings.listing, patient=True) as connection:
        return await question(connection)


def _books_json(books: TrialBalance, moment: date | None) -> dict[str, object]:
    counted = {"balanced": books.balanced, "transactions": books.transactions}
    return {**_moment_json(moment), **counted, "accounts": _accounts_json(books.balances)}


def _moment_json(moment: date | None) -> dict[str, object]:
    if moment is None:
        return {}
    return {"at" if isinstance(moment, datetime) else "through": moment.isoformat()}


def _accounts_json(balances: Sequence[Balance]) -> list[dict[str, object]]:
    return [
        {
            "account": named.account,
            "currency": named.currency,
            "balance": amount_text(named.amount),
            "networks": [
                {"network": part.network, "balance": amount_text(part.amount)}
                for part in named.parts
            ],
        }
        for named in named_balances(balances)
    ]


def _show_books(books: TrialBalance, moment: date | None) -> None:
    verdict = "balanced" if books.balanced else "NOT BALANCED"
    plural = "" if books.transactions == 1 else "s"
    title = f"{books.transactions} transaction{plural}{_until(moment)}, {verdict}"
    _show_balances(title, books.balances)


def _until(moment: date | None) -> str:
    return "" if moment is None else f" up to {moment.isoformat()}"


def _show_balances(title: str, balances: Sequence[Balance]) -> None:
    columns = ("account", "network", "currency", "balance")
    rows = [
        (each.account, each.network or "", each.currency, amount_text(each.amount))
        for each in balances
    ]
    show_table(title, columns, rows, numbers=columns[3:])


def month_json(of: AccountMonth) -> dict[str, object]:
    """Return the month of an account as JSON values."""
    return {
        "account": of.account,
        "network": of.network,
        "currency": of.currency,
        "opening": amount_text(of.opening),
        "movements": [
            {"type": each.type, "amount": amount_text(each.amount), "postings": each.postings}
            for each in of.movements
        ],
        "closing": amount_text(of.closing),
        "reconciled": of.is_reconciled,
    }


def _month_rows(of: AccountMonth) -> Iterable[Sequence[str]]:
    named = of.account if of.network is None else f"{of.account} on {of.network}"
    yield named, "opening", of.currency, amount_text(of.opening)
    for each in of.movements:
        yield "", each.type, of.currency, amount_text(each.amount)
    problem = "" if of.is_reconciled else ", which the movements do not explain"
    yield "", f"closing{problem}", of.currency, amount_text(of.closing)


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
        "day": transaction.day.isoformat(),
        "event_id": None if transaction.event_id is None else str(transaction.event_id),
        "type": transaction.type,
        "reference": transaction.reference,
        "provider_reference": transaction.provider_reference,
        "test": transaction.test,
        "unread": list(transaction.unread),
        "recorded": transaction.recorded and transaction.recorded._asdict(),
        "postings": postings,
        "transfer": None if transaction.transfer is None else _cause_json(transaction.transfer),
    }


def _cause_json(cause: TransferCause) -> dict[str, object]:
    undoes = None if cause.undoes is None else str(cause.undoes)
    return {"id": str(cause.id), "who": cause.who, "reason": cause.reason, "undoes": undoes}


def _statement_rows(transactions: Sequence[Transaction]) -> Iterable[Sequence[str]]:
    for transaction in transactions:
        order = transaction.reference or transaction.provider_reference or ""
        posted = f"{transaction.posted_at:%Y-%m-%d %H:%M:%S}"
        test = "  test money" if transaction.test else ""
        yield f"{transaction.id}  {posted}  {transaction.type}  {order}{test}", ""
        if transaction.recorded is not None:
            author = transaction.recorded
            yield f"   recorded by {author.by}: {author.reason}", ""
        if transaction.transfer is not None:
            yield from _cause_rows(transaction.transfer)
        for line in transaction.lines:
            yield f"   {line.account}", f"{amount_text(line.amount)} {line.currency}"
        yield ()


def _cause_rows(cause: TransferCause) -> Iterable[Sequence[str]]:
    undoes = "" if cause.undoes is None else f", undoes {cause.undoes}"
    yield f"   {cause.id}{undoes}", ""
    yield f"   by {cause.who}: {cause.reason}", ""


def _unbooked_row(found: Unbooked) -> Sequence[str]:
    return (
        f"{found.family} of {found.account} at {found.provider}",
        found.reference or "",
        found.provider_reference or "",
        found.status or "",
        f"{found.changed_at:%Y-%m-%d %H:%M}",
        found.why,
    )


def _unbooked_json(found: Unbooked) -> dict[str, object]:
    return {**vars(found), "changed_at": found.changed_at.isoformat()}
