"""A transfer, and how it is stored and posted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, POSTING, TRANSACTION, TRANSFER
from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.dates import day_of
from consumers.runtime.store.arrays import inserting

_IDENTITY = ("account", "provider", "purpose", "network")


@dataclass(frozen=True)
class Transfer:
    """What an operator moves from one account to another of the same merchant account.

    `amount` is positive: it is subtracted from the balance of `source` and added to that of
    `target`. `at` is when it happened, `recorded_at` when it was posted first.
    """

    id: UUID
    recorded_at: datetime
    who: str
    reason: str
    at: datetime
    source: LedgerAccount
    target: LedgerAccount
    amount: Decimal
    currency: str
    reference: str | None = None
    undoes: UUID | None = None

    @property
    def lines(self) -> Sequence[tuple[LedgerAccount, Decimal]]:
        """The postings, in order: what `target` gains and what `source` loses."""
        # Not `-amount`, which rounds to 28 digits.
        return (self.target, self.amount), (self.source, self.amount.copy_negate())

    def is_reverse_of(self, other: "Transfer") -> bool:
        """Return whether this transfer takes back exactly what the other one moved."""
        taken = (self.source, self.target, self.amount, self.currency)
        return taken == (other.target, other.source, other.amount, other.currency)


async def read_transfers(
    connection: AsyncConnection, condition: ColumnElement[bool]
) -> Sequence[Transfer]:
    """Return the transfers for which a condition on `TRANSFER` holds, oldest first."""
    rows = await connection.execute(_transfers().where(condition))
    return [_transfer(row) for row in rows]


def _transfers() -> Select[Any]:
    source, target = ACCOUNT.alias("source"), ACCOUNT.alias("target")
    return (
        select(
            TRANSFER,
            *(source.c[name].label(f"source_{name}") for name in _IDENTITY),
            *(target.c[name].label(f"target_{name}") for name in _IDENTITY),
        )
        .join_from(TRANSFER, source, source.c.id == TRANSFER.c.from_account)
        .join(target, target.c.id == TRANSFER.c.to_account)
        .order_by(TRANSFER.c.recorded_at, TRANSFER.c.id)
    )


def _transfer(row: Row[Any]) -> Transfer:
    return Transfer(
        id=row.id,
        recorded_at=row.recorded_at,
        who=row.who,
        reason=row.reason,
        at=row.at,
        source=_account(row, "source"),
        target=_account(row, "target"),
        amount=row.amount,
        currency=row.currency,
        reference=row.reference,
        undoes=row.undoes,
    )


def _account(row: Row[Any], side: str) -> LedgerAccount:
    account, provider, purpose, network = (getattr(row, f"{side}_{name}") for name in _IDENTITY)
    return LedgerAccount(account, provider, Purpose(purpose), network)


async def post_transfers(
    transaction: AsyncConnection, transfers: Sequence[Transfer]
) -> Mapping[UUID, int]:
    """Post transfers and return the number of each one's transaction, by its id.

    One is missing from the result if its id, or what it undoes, is taken by now: the caller must
    then roll back. The postings come last, as in the handler: they lock the running balances.
    """
    if not transfers:
        return {}
    await _add_accounts(transaction, transfers)
    adding = inserting(TRANSFER, list(TRANSFER.c), map(_row, transfers))
    found = await transaction.execute(adding.on_conflict_do_nothing().returning(TRANSFER.c.id))
    added = set(found.scalars())
    posting = [each for each in transfers if each.id in added]
    numbers = await _open_transactions(transaction, posting) if posting else {}
    await _add_postings(transaction, posting, numbers)
    return numbers


async def _add_accounts(transaction: AsyncConnection, transfers: Iterable[Transfer]) -> None:
    accounts = {account for each in transfers for account in (each.source, each.target)}
    rows = sorted(
        (each.id, each.name, each.account, each.provider, each.purpose.value, each.network)
        for each in accounts
    )
    adding = inserting(ACCOUNT, list(ACCOUNT.c), rows)
    await transaction.execute(adding.on_conflict_do_nothing())


def _row(transfer: Transfer) -> tuple[object, ...]:
    return (
        transfer.id,
        transfer.recorded_at,
        transfer.who,
        transfer.reason,
        transfer.at,
        transfer.source.id,
        transfer.target.id,
        transfer.amount,
        transfer.currency,
        transfer.reference,
        transfer.undoes,
    )


async def _open_transactions(
    transaction: AsyncConnection, transfers: Iterable[Transfer]
) -> Mapping[UUID, int]:
    columns = [TRANSACTION.c[name] for name in ("transfer_id", "description", "moment", "day")]
    rows = [(each.id, f"transfer: {each.reason}", each.at, day_of(each.at)) for each in transfers]
    found = await transaction.execute(
        inserting(TRANSACTION, columns, rows).returning(TRANSACTION.c.transfer_id, TRANSACTION.c.id)
    )
    return {row.transfer_id: row.id for row in found}


async def _add_postings(
    transaction: AsyncConnection, transfers: Iterable[Transfer], numbers: Mapping[UUID, int]
) -> None:
    rows = [
        (numbers[each.id], line, account.id, each.currency, amount)
        for each in transfers
        for line, (account, amount) in enumerate(each.lines, start=1)
    ]
    if rows:
        await transaction.execute(inserting(POSTING, list(POSTING.c), rows))
