"""SQL statements of the ledger: a few per batch, each over all rows of the batch.

Rows are passed as one array per column (see `consumers.runtime.store.arrays`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, EVIDENCE, POSTING, TRANSACTION
from consumers.ledger.chart import LedgerAccount
from consumers.ledger.dates import day_of, moment_of
from consumers.ledger.postings import AmountsByPlace
from consumers.ledger.writing.evidence import Evidence, evidence_of
from consumers.runtime.fate import Fate
from consumers.runtime.store.arrays import inserting
from router.contract.event import Event

RECORDED = tuple(each.name for each in EVENT.c if each.name != "applied_at")
"""Columns of an event, without the time at which it is applied."""

DATED = ("event_id", "description", "moment", "day")
"""Columns of a transaction that an event makes."""


class Entry(Struct, frozen=True):
    """An event as stored in the journal, with its outcome, its lines and the cases it opens."""

    event: Event
    outcome: Fate
    lines: AmountsByPlace
    position_id: UUID
    opened: Sequence[str] = ()


class PostedEntry(Struct, frozen=True):
    """An entry and its transaction in the journal."""

    transaction: int
    at: datetime
    entry: Entry


async def record_events(transaction: AsyncConnection, entries: Iterable[Entry]) -> set[UUID]:
    """Insert the events and their evidence; return the ids of those that were not known yet."""
    ordered = sorted(entries, key=lambda entry: entry.event.id)
    evidence = {entry.event.id: evidence_of(entry.event) for entry in ordered}
    rows = [recorded_row(entry, evidence[entry.event.id]) for entry in ordered]
    adding = inserting(EVENT, [EVENT.c[name] for name in RECORDED], rows)
    found = await transaction.execute(adding.on_conflict_do_nothing().returning(EVENT.c.event_id))
    added = set(found.scalars())
    kept = [(key, *each) for key, each in evidence.items() if key in added]
    if kept:
        await transaction.execute(inserting(EVIDENCE, list(EVIDENCE.c), kept))
    return added


async def open_transactions(
    transaction: AsyncConnection, entries: Iterable[Entry]
) -> Sequence[PostedEntry]:
    """Insert a transaction for every entry with lines, in order; `add_postings` must follow.

    Run statements that need the transaction numbers in between: `add_postings`
    locks the running balances, so it should come last.
    """
    posting = {entry.event.id: entry for entry in entries if entry.lines}
    if not posting:
        return []
    columns = [TRANSACTION.c[name] for name in DATED]
    described = [dated_row(entry) for entry in posting.values()]
    rows = await transaction.execute(
        inserting(TRANSACTION, columns, described).returning(
            TRANSACTION.c.id, TRANSACTION.c.posted_at, TRANSACTION.c.event_id
        )
    )
    return [PostedEntry(row.id, row.posted_at, posting[row.event_id]) for row in rows]


async def add_postings(transaction: AsyncConnection, posted: Sequence[PostedEntry]) -> None:
    """Insert the lines of these transactions, and their accounts if they are new."""
    if not posted:
        return
    accounts = account_ids(posted)
    adding = inserting(ACCOUNT, list(ACCOUNT.c), account_rows(accounts))
    await transaction.execute(adding.on_conflict_do_nothing())
    rows = posting_rows(posted, accounts)
    await transaction.execute(inserting(POSTING, list(POSTING.c), rows))


def account_ids(posted: Iterable[PostedEntry]) -> Mapping[LedgerAccount, UUID]:
    """Return the accounts that these transactions post to, with their ids."""
    accounts = {place.account for each in posted for place in each.entry.lines}
    return {account: account.id for account in accounts}


def account_rows(accounts: Mapping[LedgerAccount, UUID]) -> Sequence[tuple[object, ...]]:
    """Return the rows of accounts, in the order of their ids."""
    return sorted(
        (key, each.name, each.account, each.provider, each.purpose.value, each.network)
        for each, key in accounts.items()
    )


def posting_rows(
    posted: Iterable[PostedEntry], accounts: Mapping[LedgerAccount, UUID]
) -> Sequence[tuple[object, ...]]:
    """Return the lines of these transactions."""
    return [
        (each.transaction, number, accounts[place.account], place.currency, amount)
        for each in posted
        for number, (place, amount) in enumerate(each.entry.lines.items(), start=1)
    ]


def dated_row(entry: Entry) -> tuple[object, ...]:
    """Return the row of an entry's transaction, with the columns `DATED`."""
    event = entry.event
    description = f"{event.type} {event.reference or event.provider_reference}"
    moment = moment_of(event)
    return event.id, description, moment, day_of(moment)


def recorded_row(entry: Entry, evidence: Evidence) -> tuple[object, ...]:
    """Return the row of an event, without the time at which it is applied."""
    event = entry.event
    return (
        event.id,
        event.type.value,
        event.account,
        event.provider,
        event.reference,
        event.provider_reference,
        event.amount,
        event.currency,
        event.movement,
        event.movement_amount,
        event.endpoint,
        event.verification.scheme,
        event.network,
        event.test is True,
        json.dumps(event.unread) if event.unread else None,
        event.received_at,
        entry.outcome.value,
        evidence.digest,
        entry.position_id,
        event.tx_hash,
        " ".join(entry.opened) or None,
    )
