"""What a requested transfer would change: its accounts, their balances, and what looks wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import uuid4

from sqlalchemy import Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import BALANCE, TRANSFER
from consumers.ledger.chart import (
    HOLDINGS,
    OPENED_BY_TRANSFERS,
    SOURCES,
    UNASSIGNED,
    LedgerAccount,
)
from consumers.ledger.dates import AHEAD, OLDEST
from consumers.ledger.facts.exact import exact
from consumers.ledger.transfers.account_names import account_named, read_accounts
from consumers.ledger.transfers.request import Movement, TransferRequest
from consumers.ledger.transfers.transfer import Transfer, read_transfers
from router.contract.amounts import value_text
from router.terminal.exits import CommandError

REPEATED_WITHIN: Final = timedelta(days=1)
"""An equal transfer that was posted within this time may be the same one."""

SHORTEST_ID: Final = 6
"""Digits of an id that name a transfer, at least."""


@dataclass(frozen=True)
class ChangedBalance:
    """The balance of one account in the currency of a transfer, before and after it."""

    account: LedgerAccount
    currency: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class TransferPlan:
    """A transfer that can be posted; `warnings` do not prevent it."""

    transfer: Transfer
    balances: Sequence[ChangedBalance]
    warnings: Sequence[str]


async def plan_transfer(
    connection: AsyncConnection, request: TransferRequest, who: str
) -> TransferPlan:
    """Return what a request would change. Raises CommandError if it cannot be posted."""
    now = (await connection.execute(select(func.now()))).scalar_one()
    known = await read_accounts(connection)
    if isinstance(request.what, Movement):
        transfer = _new(known, request.what, request, now, who)
    else:
        transfer = await _reverse(connection, request.what, request, now, who)
    _check_moment(transfer)
    await _check_currency(connection, transfer)
    changed = [await _changed(connection, each, transfer) for each in transfer.lines]
    balances = changed[::-1]
    warnings = [
        *(f"{each.name} is new" for each, _ in transfer.lines if each not in known),
        *(warning for each in balances for warning in _odd(each)),
        *await _repeats(connection, transfer),
    ]
    return TransferPlan(transfer, balances, warnings)


def _new(
    known: Sequence[LedgerAccount],
    what: Movement,
    request: TransferRequest,
    now: datetime,
    who: str,
) -> Transfer:
    source, target = account_named(known, what.source), account_named(known, what.target)
    if source == target:
        message = f"FROM and TO are the same account, {source.name}"
        raise CommandError(message)
    if source.account != target.account:
        message = f"FROM and TO belong to two merchants, {source.account} and {target.account}"
        raise CommandError(message)
    return Transfer(
        id=uuid4(),
        recorded_at=now,
        who=who,
        reason=request.reason,
        at=request.at or now,
        source=source,
        target=target,
        amount=what.amount,
        currency=what.currency,
        reference=request.reference,
    )


async def _reverse(
    connection: AsyncConnection, prefix: str, request: TransferRequest, now: datetime, who: str
) -> Transfer:
    undone = await _transfer_named(connection, prefix)
    if undone.undoes is not None:
        message = f"{undone.id} takes back {undone.undoes} itself: make that transfer again"
        raise CommandError(message)
    already = await read_transfers(connection, TRANSFER.c.undoes == undone.id)
    if already:
        message = f"{undone.id} is already undone by {already[0].id}"
        raise CommandError(message)
    return replace(
        undone,
        id=uuid4(),
        recorded_at=now,
        who=who,
        reason=request.reason,
        at=request.at or now,
        source=undone.target,
        target=undone.source,
        reference=request.reference or undone.reference,
        undoes=undone.id,
    )


async def _transfer_named(connection: AsyncConnection, prefix: str) -> Transfer:
    if len(prefix) < SHORTEST_ID:
        message = f"--undo: {prefix} is too short: at least {SHORTEST_ID} digits of the id"
        raise CommandError(message)
    text = cast(TRANSFER.c.id, Text)
    found = await read_transfers(connection, text.startswith(prefix.lower(), autoescape=True))
    if not found:
        message = f"there is no transfer {prefix}; `payrouter ledger statement` shows their ids"
        raise CommandError(message)
    if len(found) > 1:
        message = f"{len(found)} transfers begin with {prefix}: give more of the id"
        raise CommandError(message)
    return found[0]


def _check_moment(transfer: Transfer) -> None:
    if transfer.at > transfer.recorded_at + AHEAD:
        message = f"--at: {transfer.at.isoformat()} is in the future"
        raise CommandError(message)
    if transfer.at < transfer.recorded_at - OLDEST:
        message = f"--at: {transfer.at.isoformat()} is more than {OLDEST.days} days ago"
        raise CommandError(message)


async def _check_currency(connection: AsyncConnection, transfer: Transfer) -> None:
    """Refuse a currency that FROM never had: most likely it is misspelled."""
    source = transfer.source
    if source.purpose in OPENED_BY_TRANSFERS:
        return
    found = await connection.scalars(
        select(BALANCE.c.currency)
        .where(BALANCE.c.account_id == source.id)
        .distinct()
        .order_by(BALANCE.c.currency)
    )
    currencies = found.all()
    if transfer.currency not in currencies:
        message = f"{source.name} has no {transfer.currency}, only {', '.join(currencies)}"
        raise CommandError(message)


async def _changed(
    connection: AsyncConnection, line: tuple[LedgerAccount, Decimal], transfer: Transfer
) -> ChangedBalance:
    account, change = line
    before = await connection.scalar(
        select(func.sum(BALANCE.c.amount)).where(
            BALANCE.c.account_id == account.id, BALANCE.c.currency == transfer.currency
        )
    )
    before = before or Decimal(0)
    with exact():
        return ChangedBalance(account, transfer.currency, before, before + change)


def _odd(balance: ChangedBalance) -> Iterable[str]:
    """Yield what an operator hardly wants: an overdrawn account, or one that is not cleared."""
    account, before, after = balance.account, balance.before, balance.after
    text = f"{value_text(after)} {balance.currency}"
    if account.purpose in UNASSIGNED and after.copy_abs() > before.copy_abs():
        end = "TO" if after < 0 else "FROM"
        yield f"{account.name} moves away from zero, to {text}; to clear it, name it as {end}"
    elif account.purpose in HOLDINGS and after < 0 and after < before:
        yield f"{account.name} is overdrawn: {text} is below zero"
    elif account.purpose in SOURCES and after > 0 and after > before:
        yield f"{account.name} is overdrawn: {text} is above zero"


async def _repeats(connection: AsyncConnection, transfer: Transfer) -> Iterable[str]:
    """Return a line for each equal transfer that was posted lately: a retry posts it twice."""
    if transfer.undoes is not None:
        return []
    undoing = TRANSFER.alias("undoing")
    undone = select(undoing.c.undoes).where(undoing.c.undoes.is_not(None))
    found = await read_transfers(
        connection,
        (TRANSFER.c.from_account == transfer.source.id)
        & (TRANSFER.c.to_account == transfer.target.id)
        & (TRANSFER.c.amount == transfer.amount)
        & (TRANSFER.c.currency == transfer.currency)
        & (TRANSFER.c.recorded_at > transfer.recorded_at - REPEATED_WITHIN)
        & TRANSFER.c.undoes.is_(None)
        & TRANSFER.c.id.not_in(undone),
    )
    return [
        f"the same was posted at {each.recorded_at:%Y-%m-%d %H:%M:%S} by {each.who}: {each.id}"
        for each in found
    ]
