"""A ledger in PostgreSQL has exactly the lines shown in docs/ledger.md."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.reading.selection import LineFilter, Selection
from consumers.ledger.reading.statement import read_statement
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.worked_examples import Row, examples
from tests.parts.ledger.worked_examples import of_account as given_to

EXAMPLES = examples()


async def test_the_database_contains_the_lines_of_the_tables(ledger: AsyncEngine) -> None:
    for number, example in enumerate(EXAMPLES.values()):
        account = f"example-{number}"
        events = [given_to(event, account, uuid4()) for event in example.events]
        await applied(ledger, *events)
        wanted = [_moved(row, account) for row in example.rows]
        assert await _stored(ledger, account, [event.id for event in events]) == wanted, example


async def _stored(ledger: AsyncEngine, account: str, ids: Sequence[object]) -> list[Row]:
    async with ledger.connect() as connection:
        shown = await read_statement(connection, Selection(LineFilter(account)))
    return [
        (
            str(ids.index(transaction.event_id) + 1),
            line.account,
            line.network or "",
            line.currency,
            str(line.amount),
        )
        for transaction in shown
        for line in transaction.lines
    ]


def _moved(row: Row, account: str) -> Row:
    number, name, network, currency, amount = row
    return (number, name.replace("shop-eu", account, 1), network, currency, str(Decimal(amount)))
