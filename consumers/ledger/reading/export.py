"""Streams the journal as rows of text, one posting per row."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, POSTING, TRANSACTION, TRANSFER
from consumers.ledger.reading.selection import Period
from consumers.ledger.reading.statement import TRANSFERRED, with_causes
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
    "transfer_id",
    "who",
    "reason",
    "undoes",
)
"""The columns of a row. `amount` is decimal text without an exponent; unknown values are empty.

The last four are those of a transfer, which has no event.
"""

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
            func.coalesce(EVENT.c.type, TRANSFERRED).label("type"),
            func.coalesce(EVENT.c.reference, TRANSFER.c.reference).label("reference"),
            EVENT.c.provider_reference,
            ACCOUNT.c.name,
            ACCOUNT.c.account,
            ACCOUNT.c.provider,
            ACCOUNT.c.purpose,
            ACCOUNT.c.network,
            POSTING.c.currency,
            POSTING.c.amount,
            TRANSACTION.c.transfer_id,
            TRANSFER.c.who,
            TRANSFER.c.reason,
            TRANSFER.c.undoes,
        )
        .select_from(with_causes())
        .join(POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .where(period.condition)
        .order_by(TRANSACTION.c.id, POSTING.c.line)
    )


def _texts(row: Row[Any]) -> list[str]:
    facts: list[object] = list(row)
    facts[COLUMNS.index("posted_at")] = row.posted_at.isoformat()
    facts[COLUMNS.index("amount")] = amount_text(row.amount)
    return ["" if fact is None else str(fact) for fact in facts]
