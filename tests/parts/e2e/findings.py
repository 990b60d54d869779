"""Reads a merchant's books, stock, orders and messages in the notation of docs/scenarios.md."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

from pydantic import SecretStr
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.inventory.store.listing import OrderSelection, read_orders, read_stock
from consumers.inventory.tables import HISTORY, ORDERS, PAYMENT
from consumers.ledger.reading.statement import read_books
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.notifications.tables import CHANGE, MESSAGE
from consumers.runtime.casebook.reading import CaseFilter, read_cases
from consumers.runtime.configured import Consumer
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.amounts import amount_text
from router.contract.topics import Topics
from tests.parts.connections import connection_to

_CONSUMERS = [
    Consumer(each, ConsumerSettings(each.name, connection_to(), SecretStr(""), Topics(), Tuning()))
    for each in (LEDGER, INVENTORY, NOTIFICATIONS)
]

Finding = Callable[[AsyncConnection, str], Awaitable[Sequence[str]]]


async def books(connection: AsyncConnection, account: str) -> Sequence[str]:
    """Return `wallet:Ethereum 30 USDT` for every nonzero balance."""
    found: dict[tuple[str, str], Decimal] = {}
    for each in (await read_books(connection)).balances:
        if each.account.startswith(f"{account}:"):
            name = each.account.removeprefix(f"{account}:").removeprefix("blockatm:")
            place = (name, each.currency)
            found[place] = found.get(place, Decimal(0)) + each.amount
    sums: dict[str, Decimal] = {}
    for (_, currency), amount in found.items():
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    assert not any(sums.values()), "the books of a merchant balance"
    return [
        f"{name} {amount_text(amount.normalize())} {currency}"
        for (name, currency), amount in found.items()
        if amount
    ]


async def stock(connection: AsyncConnection, account: str) -> Sequence[str]:
    """Return `tea 8 of 10 free` per article, and any reserved, sold and oversold quantity."""
    said = []
    for each in await read_stock(connection, account):
        words = [f"{each.sku} {each.available} of {each.on_hand} free"]
        parts = {
            "reserved": each.reserved,
            "sold": each.committed,
            "oversold": each.oversold,
        }
        words += [f"{number} {name}" for name, number in parts.items() if number]
        said.append(" + ".join(words))
    return said


async def orders(connection: AsyncConnection, account: str) -> Sequence[str]:
    """Return `A-1 committed` for every order, and `A-1 waiting` for a payment without one."""
    found = await read_orders(connection, OrderSelection(account=account, limit=100))
    return [f"{each.reference} {each.status}" for each in found]


async def trouble(connection: AsyncConnection, account: str) -> Sequence[str]:
    """Return `A-1 paid twice` for every problem that an operator should look at."""
    rows = await connection.execute(
        select(HISTORY.c.what, ORDERS.c.reference, PAYMENT.c.reference.label("paid"))
        .join_from(HISTORY, ORDERS, ORDERS.c.id == HISTORY.c.order_id, isouter=True)
        .join(PAYMENT, PAYMENT.c.id == HISTORY.c.payment_id, isouter=True)
        .where(HISTORY.c.trouble, or_(ORDERS.c.account == account, PAYMENT.c.account == account))
    )
    return [f"{row.reference or row.paid} {row.what}" for row in rows]


async def cases(connection: AsyncConnection, account: str) -> Sequence[str]:
    """Return `A-1 oversold` for every open case of all consumers, as `payrouter cases list`."""
    found = [await read_cases(connection, each, CaseFilter(account=account)) for each in _CONSUMERS]
    return [f"{each.reference} {each.kind.name}" for cases in found for each in cases.cases]


async def messages(connection: AsyncConnection, account: str) -> Sequence[str]:
    """Return `payment.confirmed A-1 to customer` for every message, in any state."""
    rows = await connection.execute(
        select(MESSAGE.c.kind, CHANGE.c.reference, MESSAGE.c.recipient)
        .join_from(MESSAGE, CHANGE)
        .where(CHANGE.c.account == account)
    )
    return [f"{row.kind} {row.reference} to {row.recipient}" for row in rows]


FOUND: Mapping[str, Finding] = {
    "books": books,
    "stock": stock,
    "orders": orders,
    "trouble": trouble,
    "cases": cases,
    "messages": messages,
}
"""The functions that read results, by their keyword on the page."""
