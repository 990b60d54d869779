"""Applies events to a ledger and reads the results."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import EVENT, POSITION, TRANSACTION
from consumers.ledger.handler import handle
from consumers.ledger.reading.statement import TrialBalance, read_books
from consumers.runtime.fate import Fate
from router.contract.event import Event


async def applied(ledger: AsyncEngine, *events: Event) -> Sequence[Fate]:
    """Apply one batch in a separate transaction."""
    async with ledger.begin() as transaction:
        return await handle(transaction, events)


async def books(ledger: AsyncEngine) -> TrialBalance:
    """Read all balances."""
    async with ledger.connect() as connection:
        return await read_books(connection)


async def balances(ledger: AsyncEngine) -> dict[str, Decimal]:
    """Read the nonzero balances, by names such as `wallet:Ethereum USDT`."""
    return {
        f"{named.account.split(':', 2)[2]} {named.currency}": named.amount
        for named in (await books(ledger)).named
        if named.amount
    }


async def count(ledger: AsyncEngine, what: str) -> int:
    """Count `events`, `transactions` or `positions`."""
    table = {"events": EVENT, "transactions": TRANSACTION, "positions": POSITION}[what]
    async with ledger.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0
