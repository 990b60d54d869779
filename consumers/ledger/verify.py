"""Recompute the books from the journal, and say where they are not what they should be.

Nothing is trusted that can be computed: neither the triggers that keep the
journal balanced, nor the running balances, nor the positions.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import (
    ACCOUNT,
    BALANCE,
    EVENT,
    JOURNAL_TOTAL,
    POSITION,
    POSTING,
    TRANSACTION,
)
from consumers.ledger.position import Position
from consumers.ledger.postings import exact, implied
from consumers.ledger.unbooked import count_unbooked
from router.contract.amounts import value_text

LISTED = 100
"""So many faults of a kind are listed; where one is, there is reason to look at all."""

_STREAMED = 1000

_FACTS = [POSITION.c[field.name] for field in fields(Position)]

Sums = Mapping[tuple[str, str], Decimal]
"""What is posted by account and currency, none of it zero.

By the account's name, since books made before networks were kept have only that.
"""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: of which kind, where, and what it is instead of what."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What was recomputed, and what is wrong."""

    transactions: int
    postings: int
    positions: int
    unbooked: int
    faults: Sequence[Fault]


async def verify(connection: AsyncConnection) -> Verdict:
    """Recompute everything; `connection` sees one moment of the books."""
    transactions = await connection.scalar(select(func.count()).select_from(TRANSACTION)) or 0
    postings = await connection.scalar(select(func.count()).select_from(POSTING)) or 0
    faults = [
        *await _unbalanced(connection),
        *await _broken(connection),
        *await _balances(connection),
        *await _totals(connection, transactions, postings),
    ]
    positions, wrong = await _positions(connection)
    unbooked = await count_unbooked(connection)
    return Verdict(transactions, postings, positions, unbooked, [*faults, *wrong])


async def _unbalanced(connection: AsyncConnection) -> Sequence[Fault]:
    total = func.sum(POSTING.c.amount).label("total")
    rows = await connection.execute(
        select(POSTING.c.transaction_id, POSTING.c.currency, total)
        .group_by(POSTING.c.transaction_id, POSTING.c.currency)
        .having(total != 0)
        .order_by(POSTING.c.transaction_id)
        .limit(LISTED)
    )
    return [
        Fault(
            "unbalanced",
            f"transaction {row.transaction_id}",
            f"sums to {value_text(row.total)} {row.currency} instead of 0",
        )
        for row in rows
    ]


async def _broken(connection: AsyncConnection) -> Sequence[Fault]:
    """Find transactions that have lost lines: numbered from 1, none is left out."""
    lines = (
        select(
            POSTING.c.transaction_id,
            func.count().label("there"),
            func.max(POSTING.c.line).label("last"),
            func.min(POSTING.c.line).label("first"),
        )
        .group_by(POSTING.c.transaction_id)
        .subquery()
    )
    there = func.coalesce(lines.c.there, 0)
    rows = await connection.execute(
        select(TRANSACTION.c.id, there.label("there"), lines.c.last)
        .outerjoin_from(TRANSACTION, lines, lines.c.transaction_id == TRANSACTION.c.id)
        .where((there < 2) | (lines.c.first != 1) | (lines.c.last != lines.c.there))  # noqa: PLR2004
        .order_by(TRANSACTION.c.id)
        .limit(LISTED)
    )
    return [
        Fault("broken", f"transaction {row.id}", f"has {row.there} lines, the last is {row.last}")
        for row in rows
    ]


async def _balances(connection: AsyncConnection) -> Sequence[Fault]:
    summed = (
        select(
            POSTING.c.account_id,
            POSTING.c.currency,
            func.sum(POSTING.c.amount).label("amount"),
            func.count().label("postings"),
        )
        .group_by(POSTING.c.account_id, POSTING.c.currency)
        .subquery()
    )
    same = (summed.c.account_id == BALANCE.c.account_id) & (summed.c.currency == BALANCE.c.currency)
    differs = summed.c.amount.is_distinct_from(BALANCE.c.amount) | (
        summed.c.postings.is_distinct_from(BALANCE.c.postings)
    )
    account = func.coalesce(summed.c.account_id, BALANCE.c.account_id)
    rows = await connection.execute(
        select(
            ACCOUNT.c.name,
            func.coalesce(summed.c.currency, BALANCE.c.currency).label("currency"),
            func.coalesce(summed.c.amount, 0).label("summed"),
            func.coalesce(BALANCE.c.amount, 0).label("kept"),
        )
        .select_from(summed.join(BALANCE, same, full=True).join(ACCOUNT, ACCOUNT.c.id == account))
        .where(differs)
        .order_by(ACCOUNT.c.name, "currency")
        .limit(LISTED)
    )
    return [
        Fault(
            "balance",
            f"{row.name} {row.currency}",
            f"is kept as {value_text(row.kept)}, the journal sums to {value_text(row.summed)}",
        )
        for row in rows
    ]


async def _totals(connection: AsyncConnection, transactions: int, postings: int) -> Sequence[Fault]:
    kept = (await connection.execute(select(JOURNAL_TOTAL))).one_or_none()
    pairs = (
        ("transactions", transactions, kept and kept.transactions),
        ("postings", postings, kept and kept.postings),
    )
    return [
        Fault("count", name, f"{known or 0} were posted, {there} are there")
        for name, there, known in pairs
        if there != known
    ]


async def _positions(connection: AsyncConnection) -> tuple[int, Sequence[Fault]]:
    """Compare what each position means with what its events have posted, one by one."""
    counted = 0
    faults: list[Fault] = []
    async for position, posted in _posted(connection):
        counted += 1
        meant = _by_name(position)
        if meant != posted and len(faults) < LISTED:
            faults.append(_difference(position, meant, posted))
    return counted, faults


async def _posted(connection: AsyncConnection) -> AsyncIterator[tuple[Position, Sums]]:
    rows: list[Row[Any]] = []
    result = await connection.stream(_per_position().execution_options(yield_per=_STREAMED))
    async for row in result:
        if rows and rows[-1].id != row.id:
            yield _summed(rows)
            rows = []
        rows.append(row)
    if rows:
        yield _summed(rows)


def _per_position() -> Select[Any]:
    """Ask for every position with the sums of its postings, a row per account and currency."""
    amount = func.sum(POSTING.c.amount)
    sums = (
        select(
            EVENT.c.position_id,
            ACCOUNT.c.name,
            POSTING.c.currency,
            amount.label("amount"),
        )
        .join_from(POSTING, TRANSACTION)
        .join(EVENT)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .group_by(EVENT.c.position_id, ACCOUNT.c.name, POSTING.c.currency)
        .having(amount != 0)
        .subquery()
    )
    return (
        select(
            *_FACTS,
            sums.c.name.label("posted_account"),
            sums.c.currency.label("posted_currency"),
            sums.c.amount.label("posted_amount"),
        )
        .outerjoin_from(POSITION, sums, sums.c.position_id == POSITION.c.id)
        .order_by(POSITION.c.id)
    )


def _summed(rows: Sequence[Row[Any]]) -> tuple[Position, Sums]:
    facts = len(_FACTS)
    sums = {
        (row.posted_account, row.posted_currency): row.posted_amount
        for row in rows
        if row.posted_account is not None
    }
    return Position(*rows[0][:facts]), sums


def _by_name(position: Position) -> Sums:
    sums: dict[tuple[str, str], Decimal] = {}
    with exact():
        for place, amount in implied(position).items():
            key = (place.account.name, place.currency)
            sums[key] = sums.get(key, Decimal(0)) + amount
    return sums


def _difference(position: Position, meant: Sums, posted: Sums) -> Fault:
    wrong = [
        f"{name} {currency}: {_text(posted, name, currency)} posted,"
        f" {_text(meant, name, currency)} meant"
        for name, currency in sorted({*meant, *posted})
        if meant.get((name, currency)) != posted.get((name, currency))
    ]
    named = position.provider_reference or position.reference
    where = f"{position.family} {named} of {position.account} at {position.provider}"
    return Fault("position", where, "; ".join(wrong))


def _text(sums: Sums, name: str, currency: str) -> str:
    return value_text(sums.get((name, currency), Decimal(0)))
