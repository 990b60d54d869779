"""Recomputes the books from the journal and reports every difference.

It trusts neither the triggers that keep the journal balanced, nor the running
balances, nor the positions.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, Subquery, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import (
    ACCOUNT,
    BALANCE,
    EVENT,
    EVIDENCE,
    JOURNAL_TOTAL,
    POSITION,
    POSTING,
    TRANSACTION,
    TRANSFER,
)
from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.position import Position
from consumers.ledger.postings import implied
from consumers.ledger.reading.unbooked import count_unbooked
from consumers.ledger.reading.verify_causes import (
    stray_postings,
    transactions_without_cause,
    two_merchants,
    wrong_transfers,
    wrong_undoings,
)
from consumers.ledger.writing.evidence import stored_digest
from consumers.ledger.writing.positions import DESCRIBED, described
from router.contract.amounts import value_text

LISTED = 100
"""Maximum number of faults listed per kind."""

_STREAMED = 1000

Sums = Mapping[tuple[str, str], Decimal]
"""Posted sums by account name and currency, without zeros.

The key is the account's name because books older than the network column have nothing else.
"""


@dataclass(frozen=True)
class LedgerFault:
    """A difference: its kind, the row concerned, and the actual and expected values."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class VerificationResult:
    """Numbers of recomputed rows, and the faults found."""

    transactions: int
    postings: int
    positions: int
    unbooked: int
    faults: Sequence[LedgerFault]
    transfers: int = 0


async def verify(connection: AsyncConnection) -> VerificationResult:
    """Recompute everything; `connection` must read from one snapshot."""
    transactions = await connection.scalar(select(func.count()).select_from(TRANSACTION)) or 0
    postings = await connection.scalar(select(func.count()).select_from(POSTING)) or 0
    faults = [
        *await _unbalanced(connection),
        *await _incomplete(connection),
        *await _balances(connection),
        *await _totals(connection, transactions, postings),
        *await _evidence(connection),
        *await _causes(connection),
    ]
    positions, wrong = await _positions(connection)
    unbooked = await count_unbooked(connection)
    transfers = await connection.scalar(select(func.count()).select_from(TRANSFER)) or 0
    return VerificationResult(
        transactions, postings, positions, unbooked, [*faults, *wrong], transfers
    )


async def _unbalanced(connection: AsyncConnection) -> Sequence[LedgerFault]:
    total = func.sum(POSTING.c.amount).label("total")
    rows = await connection.execute(
        select(POSTING.c.transaction_id, POSTING.c.currency, total)
        .group_by(POSTING.c.transaction_id, POSTING.c.currency)
        .having(total != 0)
        .order_by(POSTING.c.transaction_id)
        .limit(LISTED)
    )
    return [
        LedgerFault(
            "unbalanced",
            f"transaction {row.transaction_id}",
            f"sums to {value_text(row.total)} {row.currency} instead of 0",
        )
        for row in rows
    ]


async def _incomplete(connection: AsyncConnection) -> Sequence[LedgerFault]:
    """Find transactions with missing lines: lines are numbered from 1 without gaps."""
    lines = (
        select(
            POSTING.c.transaction_id,
            func.count().label("found"),
            func.max(POSTING.c.line).label("last"),
            func.min(POSTING.c.line).label("first"),
        )
        .group_by(POSTING.c.transaction_id)
        .subquery()
    )
    found = func.coalesce(lines.c.found, 0)
    rows = await connection.execute(
        select(TRANSACTION.c.id, found.label("found"), lines.c.last)
        .outerjoin_from(TRANSACTION, lines, lines.c.transaction_id == TRANSACTION.c.id)
        .where((found < 2) | (lines.c.first != 1) | (lines.c.last != lines.c.found))  # noqa: PLR2004
        .order_by(TRANSACTION.c.id)
        .limit(LISTED)
    )
    return [
        LedgerFault(
            "broken", f"transaction {row.id}", f"has {row.found} lines, the last is {row.last}"
        )
        for row in rows
    ]


async def _balances(connection: AsyncConnection) -> Sequence[LedgerFault]:
    summed, stored = _posted_sums(), _stored_sums()
    same = and_(*(summed.c[name] == stored.c[name] for name in ("account_id", "currency", "day")))
    differs = summed.c.amount.is_distinct_from(stored.c.amount) | (
        summed.c.postings.is_distinct_from(stored.c.postings)
    )
    account = func.coalesce(summed.c.account_id, stored.c.account_id)
    rows = await connection.execute(
        select(
            ACCOUNT.c.name,
            func.coalesce(summed.c.currency, stored.c.currency).label("currency"),
            func.coalesce(summed.c.day, stored.c.day).label("day"),
            func.coalesce(summed.c.amount, 0).label("summed"),
            func.coalesce(stored.c.amount, 0).label("stored"),
        )
        .select_from(summed.join(stored, same, full=True).join(ACCOUNT, ACCOUNT.c.id == account))
        .where(differs)
        .order_by(ACCOUNT.c.name, "currency", "day")
        .limit(LISTED)
    )
    return [
        LedgerFault(
            "balance",
            f"{row.name} {row.currency} on {row.day}",
            f"is stored as {value_text(row.stored)}, the journal sums to {value_text(row.summed)}",
        )
        for row in rows
    ]


def _posted_sums() -> Subquery:
    keys = (POSTING.c.account_id, POSTING.c.currency, TRANSACTION.c.day)
    amount, postings = func.sum(POSTING.c.amount), func.count()
    return (
        select(*keys, amount.label("amount"), postings.label("postings"))
        .join_from(POSTING, TRANSACTION, TRANSACTION.c.id == POSTING.c.transaction_id)
        .group_by(*keys)
        .subquery()
    )


def _stored_sums() -> Subquery:
    keys = (BALANCE.c.account_id, BALANCE.c.currency, BALANCE.c.day)
    amount, postings = func.sum(BALANCE.c.amount), func.sum(BALANCE.c.postings)
    return (
        select(*keys, amount.label("amount"), postings.label("postings")).group_by(*keys).subquery()
    )


async def _totals(
    connection: AsyncConnection, transactions: int, postings: int
) -> Sequence[LedgerFault]:
    counted = (func.sum(JOURNAL_TOTAL.c.transactions), func.sum(JOURNAL_TOTAL.c.postings))
    recorded_transactions, recorded_postings = (await connection.execute(select(*counted))).one()
    counts = (
        ("transactions", transactions, recorded_transactions or 0),
        ("postings", postings, recorded_postings or 0),
    )
    return [
        LedgerFault("count", name, f"{recorded} were posted, the journal has {found}")
        for name, found, recorded in counts
        if found != recorded
    ]


async def _evidence(connection: AsyncConnection) -> Sequence[LedgerFault]:
    """Find events whose evidence is missing or differs from the digest in the journal."""
    changed = stored_digest() != EVENT.c.digest
    rows = await connection.execute(
        select(EVENT.c.event_id, EVIDENCE.c.event_id.is_(None).label("missing"))
        .outerjoin_from(EVENT, EVIDENCE, EVIDENCE.c.event_id == EVENT.c.event_id)
        .where(EVIDENCE.c.event_id.is_(None) | changed)
        .order_by(EVENT.c.event_id)
        .limit(LISTED)
    )
    return [
        LedgerFault(
            "evidence",
            f"event {row.event_id}",
            "is missing" if row.missing else "differs from its digest in the journal",
        )
        for row in rows
    ]


async def _causes(connection: AsyncConnection) -> Sequence[LedgerFault]:
    checks = (
        ("cause", transactions_without_cause),
        ("broken", stray_postings),
        ("transfer", wrong_transfers),
        ("transfer", wrong_undoings),
        ("transfer", two_merchants),
    )
    return [
        LedgerFault(kind, *fault)
        for kind, check in checks
        for fault in await check(connection, LISTED)
    ]


async def _positions(connection: AsyncConnection) -> tuple[int, Sequence[LedgerFault]]:
    """Compare the amounts each position implies with the postings of its events."""
    counted = 0
    faults: list[LedgerFault] = []
    async for position, posted in _posted(connection):
        counted += 1
        expected = _by_name(position)
        if expected != posted and len(faults) < LISTED:
            faults.append(_difference(position, expected, posted))
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
    """Select every position with the sums of its postings, one row per account and currency."""
    amount = func.sum(POSTING.c.amount)
    sums = (
        select(
            EVENT.c.position_id,
            ACCOUNT.c.name,
            POSTING.c.currency,
            amount.label("amount"),
        )
        .join_from(POSTING, TRANSACTION, TRANSACTION.c.id == POSTING.c.transaction_id)
        .join(EVENT, EVENT.c.event_id == TRANSACTION.c.event_id)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .group_by(EVENT.c.position_id, ACCOUNT.c.name, POSTING.c.currency)
        .having(amount != 0)
        .subquery()
    )
    return (
        select(
            *DESCRIBED,
            POSITION.c.facts,
            sums.c.name.label("posted_account"),
            sums.c.currency.label("posted_currency"),
            sums.c.amount.label("posted_amount"),
        )
        .outerjoin_from(POSITION, sums, sums.c.position_id == POSITION.c.id)
        .order_by(POSITION.c.id)
    )


def _summed(rows: Sequence[Row[Any]]) -> tuple[Position, Sums]:
    sums = {
        (row.posted_account, row.posted_currency): row.posted_amount
        for row in rows
        if row.posted_account is not None
    }
    return described(rows[0]), sums


def _by_name(position: Position) -> Sums:
    sums: dict[tuple[str, str], Decimal] = {}
    with exact():
        for place, amount in implied(position).items():
            key = (place.account.name, place.currency)
            sums[key] = sums.get(key, Decimal(0)) + amount
    return sums


def _difference(position: Position, expected: Sums, posted: Sums) -> LedgerFault:
    wrong = [
        f"{name} {currency}: {_text(posted, name, currency)} posted,"
        f" {_text(expected, name, currency)} expected"
        for name, currency in sorted({*expected, *posted})
        if expected.get((name, currency)) != posted.get((name, currency))
    ]
    named = position.provider_reference or position.reference
    where = f"{position.family} {named} of {position.account} at {position.provider}"
    return LedgerFault("position", where, "; ".join(wrong))


def _text(sums: Sums, name: str, currency: str) -> str:
    return value_text(sums.get((name, currency), Decimal(0)))
