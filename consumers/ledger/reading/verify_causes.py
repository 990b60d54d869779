"""Checks what rows of the journal refer to: each transaction has one cause, each line a place."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, POSTING, TRANSACTION, TRANSFER


class CauseFault(NamedTuple):
    """A transaction or transfer that does not fit its cause, and why."""

    where: str
    what: str


async def transactions_without_cause(connection: AsyncConnection, limit: int) -> list[CauseFault]:
    """Find transactions that do not have exactly one cause that is in the journal."""
    event, transfer = TRANSACTION.c.event_id, TRANSACTION.c.transfer_id
    lost = or_(
        and_(event.is_not(None), EVENT.c.event_id.is_(None)),
        and_(transfer.is_not(None), TRANSFER.c.id.is_(None)),
    )
    causes = func.num_nonnulls(event, transfer)
    rows = await connection.execute(
        select(TRANSACTION.c.id, causes.label("causes"))
        .join_from(TRANSACTION, EVENT, EVENT.c.event_id == event, isouter=True)
        .join(TRANSFER, TRANSFER.c.id == transfer, isouter=True)
        .where(or_(causes != 1, lost))
        .order_by(TRANSACTION.c.id)
        .limit(limit)
    )
    return [
        CauseFault(
            f"transaction {row.id}",
            "its cause is missing" if row.causes == 1 else f"has {row.causes} causes instead of 1",
        )
        for row in rows
    ]


async def wrong_transfers(connection: AsyncConnection, limit: int) -> list[CauseFault]:
    """Find transfers without exactly one transaction whose two lines equal them."""
    rows = await connection.execute(_compared().limit(limit))
    return [CauseFault(f"transfer {row.id}", _difference(row.posted, row.dated)) for row in rows]


def _difference(posted: int, dated: bool | None) -> str:  # noqa: FBT001 - a column
    if posted != 1:
        return f"has {posted} transactions instead of 1"
    return "its transaction has another date" if not dated else "its lines differ from it"


def _compared() -> Select[Any]:
    lines = _lines().subquery()
    utc_day = func.date(func.timezone("UTC", TRANSFER.c.at))
    dated = and_(TRANSACTION.c.moment == TRANSFER.c.at, TRANSACTION.c.day == utc_day)
    posted = func.count(TRANSACTION.c.id)
    found = func.coalesce(func.sum(lines.c.lines), 0)
    right = func.coalesce(func.sum(lines.c.right), 0)
    return (
        select(TRANSFER.c.id, posted.label("posted"), func.bool_and(dated).label("dated"))
        .join_from(TRANSFER, TRANSACTION, TRANSACTION.c.transfer_id == TRANSFER.c.id, isouter=True)
        .join(lines, lines.c.id == TRANSACTION.c.id, isouter=True)
        .group_by(TRANSFER.c.id)
        .having(or_(posted != 1, ~func.bool_and(dated), found != 2, right != 2))  # noqa: PLR2004
        .order_by(TRANSFER.c.id)
    )


def _lines() -> Select[Any]:
    """Count the lines of each transaction of a transfer, and those that its transfer names."""
    return (
        select(
            TRANSACTION.c.id,
            func.count().label("lines"),
            func.count().filter(_is_named()).label("right"),
        )
        .join_from(TRANSACTION, TRANSFER, TRANSFER.c.id == TRANSACTION.c.transfer_id)
        .join(POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .group_by(TRANSACTION.c.id)
    )


def _is_named() -> ColumnElement[bool]:
    gained = and_(
        POSTING.c.account_id == TRANSFER.c.to_account, POSTING.c.amount == TRANSFER.c.amount
    )
    lost = and_(
        POSTING.c.account_id == TRANSFER.c.from_account, POSTING.c.amount == -TRANSFER.c.amount
    )
    return and_(POSTING.c.currency == TRANSFER.c.currency, or_(gained, lost))


async def wrong_undoings(connection: AsyncConnection, limit: int) -> list[CauseFault]:
    """Find transfers that undo another one without being its reverse, or for a second time."""
    undone, other = TRANSFER.alias("undone"), TRANSFER.alias("other")
    reverse = and_(
        TRANSFER.c.from_account == undone.c.to_account,
        TRANSFER.c.to_account == undone.c.from_account,
        TRANSFER.c.amount == undone.c.amount,
        TRANSFER.c.currency == undone.c.currency,
        undone.c.undoes.is_(None),
    )
    again = (
        select(other.c.id)
        .where(other.c.undoes == TRANSFER.c.undoes, other.c.id != TRANSFER.c.id)
        .exists()
    )
    rows = await connection.execute(
        select(TRANSFER.c.id, TRANSFER.c.undoes, again.label("again"))
        .join_from(TRANSFER, undone, undone.c.id == TRANSFER.c.undoes, isouter=True)
        .where(TRANSFER.c.undoes.is_not(None))
        .where(or_(undone.c.id.is_(None), ~reverse, again))
        .order_by(TRANSFER.c.id)
        .limit(limit)
    )
    return [
        CauseFault(
            f"transfer {row.id}",
            f"{row.undoes} is undone more than once"
            if row.again
            else f"is not the reverse of {row.undoes}, which it undoes",
        )
        for row in rows
    ]


async def two_merchants(connection: AsyncConnection, limit: int) -> list[CauseFault]:
    """Find transfers between the accounts of two merchants."""
    source, target = ACCOUNT.alias("source"), ACCOUNT.alias("target")
    rows = await connection.execute(
        select(TRANSFER.c.id, source.c.account, target.c.account.label("other"))
        .join_from(TRANSFER, source, source.c.id == TRANSFER.c.from_account)
        .join(target, target.c.id == TRANSFER.c.to_account)
        .where(source.c.account != target.c.account)
        .order_by(TRANSFER.c.id)
        .limit(limit)
    )
    return [
        CauseFault(f"transfer {row.id}", f"is between {row.account} and {row.other}")
        for row in rows
    ]


async def stray_postings(connection: AsyncConnection, limit: int) -> list[CauseFault]:
    """Find postings whose transaction or account is not in the journal."""
    rows = await connection.execute(
        select(POSTING.c.transaction_id, POSTING.c.line, TRANSACTION.c.id)
        .join_from(POSTING, TRANSACTION, TRANSACTION.c.id == POSTING.c.transaction_id, isouter=True)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id, isouter=True)
        .where(or_(TRANSACTION.c.id.is_(None), ACCOUNT.c.id.is_(None)))
        .order_by(POSTING.c.transaction_id, POSTING.c.line)
        .limit(limit)
    )
    return [
        CauseFault(
            f"line {row.line} of transaction {row.transaction_id}",
            "its transaction is missing" if row.id is None else "its account is missing",
        )
        for row in rows
    ]
