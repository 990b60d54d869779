"""SQL statements of the ledger: a few per batch, each over all rows of the batch.

Rows are passed as one array per column (see `consumers.runtime.store.arrays`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, EVIDENCE, POSTING, TRANSACTION
from consumers.ledger.chart import LedgerAccount
from consumers.ledger.dates import day_of, moment_of
from consumers.ledger.postings import AmountsByPlace
from consumers.ledger.writing.evidence import Evidence, evidence_of
from consumers.runtime.fate import Fate
from consumers.runtime.store.arrays import inserting
from router.contract.event import Event

_RECORDED = [each for each in EVENT.c if each.name != "applied_at"]


@dataclass(frozen=True)
class Entry:
    """An event as stored in the journal, with its outcome, its lines and the cases it opens."""

    event: Event
    outcome: Fate
    lines: AmountsByPlace
    position_id: UUID
    opened: Sequence[str] = ()


@dataclass(frozen=True)
class PostedEntry:
    """An entry and its transaction in the journal."""

    transaction: int
    at: datetime
    entry: Entry


async def record_events(transaction: AsyncConnection, entries: Iterable[Entry]) -> set[UUID]:
    """Insert the events and their evidence; return the ids of those that were not known yet."""
    ordered = sorted(entries, key=lambda entry: entry.event.id)
    evidence = {entry.event.id: evidence_of(entry.event) for entry in ordered}
    rows = [_recorded(entry, evidence[entry.event.id]) for entry in ordered]
    adding = inserting(EVENT, _RECORDED, rows)
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
    columns = [TRANSACTION.c[name] for name in ("event_id", "description", "moment", "day")]
    described = [(key, *_dated(entry)) for key, entry in posting.items()]
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
    accounts = await _add_accounts(transaction, [each.entry for each in posted])
    rows = [
        (each.transaction, number, accounts[place.account], place.currency, amount)
        for each in posted
        for number, (place, amount) in enumerate(each.entry.lines.items(), start=1)
    ]
    await transaction.execute(inserting(POSTING, list(POSTING.c), rows))


async def _add_accounts(
    transaction: AsyncConnection, entries: Sequence[Entry]
) -> Mapping[LedgerAccount, UUID]:
    accounts = {place.account for entry in entries for place in entry.lines}
    ids = {account: account.id for account in accounts}
    rows = sorted(
        (
            ids[account],
            account.name,
            account.account,
            account.provider,
            account.purpose.value,
            account.network,
        )
        for account in accounts
    )
    adding = inserting(ACCOUNT, list(ACCOUNT.c), rows)
    await transaction.execute(adding.on_conflict_do_nothing())
    return ids


def _dated(entry: Entry) -> tuple[object, ...]:
    event = entry.event
    description = f"{event.type} {event.reference or event.provider_reference}"
    moment = moment_of(event)
    return description, moment, day_of(moment)


def _recorded(entry: Entry, evidence: Evidence) -> tuple[object, ...]:
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
