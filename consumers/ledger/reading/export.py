"""Streams the journal as rows of text, one posting per row."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, POSTING, TRANSACTION
from consumers.ledger.reading.statement import Period
from router.contract.amounts import amount_text

COLUMNS = (
    "transaction",
    "line",
    "posted_at",
    "day",
    "event_id",
    "type",
    "reference",
    "provider_reference",
    "ledger_account",
    "account",
    "provider",
    "purpose",
    "network",
    "currency",
    "amount",
)
"""The columns of a row. `amount` is decimal text without an exponent; unknown values are empty."""

_CHUNK = 1000
"""Rows fetched from the database at a time."""


async def read_journal(connection: AsyncConnection, period: Period) -> AsyncIterator[list[str]]:
    """Read the postings of a period in journal order, in chunks."""
    result = await connection.stream(_query(period).execution_options(yield_per=_CHUNK))
    async for row in result:
        yield _texts(row)


def _query(period: Period) -> Select[Any]:
    return (
        select(
            TRANSACTION.c.id,
            POSTING.c.line,
            TRANSACTION.c.posted_at,
            TRANSACTION.c.day,
            TRANSACTION.c.event_id,
            EVENT.c.type,
            EVENT.c.reference,
            EVENT.c.provider_reference,
            ACCOUNT.c.name,
            ACCOUNT.c.account,
            ACCOUNT.c.provider,
            ACCOUNT.c.purpose,
            ACCOUNT.c.network,
            POSTING.c.currency,
            POSTING.c.amount,
        )
        .join_from(TRANSACTION, EVENT)
        .join(POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .join(ACCOUNT)
        .where(period.condition)
        .order_by(TRANSACTION.c.id, POSTING.c.line)
    )


def _texts(row: Row[Any]) -> list[str]:
    facts: list[object] = list(row)
    facts[COLUMNS.index("posted_at")] = row.posted_at.isoformat()
    facts[COLUMNS.index("amount")] = amount_text(row.amount)
    return ["" if fact is None else str(fact) for fact in facts]
