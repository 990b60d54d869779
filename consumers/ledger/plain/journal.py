"""Writes the journal of a plain batch; the rows are those of `consumers.ledger.writing.journal`."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from consumers.ledger.book import ACCOUNT, EVENT, EVIDENCE, POSTING, TRANSACTION
from consumers.ledger.writing.evidence import evidence_of
from consumers.ledger.writing.journal import (
    DATED,
    RECORDED,
    Entry,
    PostedEntry,
    account_ids,
    account_rows,
    dated_row,
    posting_rows,
    recorded_row,
)
from consumers.runtime.service import Driver
from consumers.runtime.store.statements import addition, columns_of, insertion, whole_rows

_ACCOUNT: Final = tuple(ACCOUNT.c.keys())
_EVIDENCE: Final = tuple(EVIDENCE.c.keys())
_POSTING: Final = tuple(POSTING.c.keys())
_POSTED: Final = "RETURNING id, posted_at"


async def record(driver: Driver, entries: Sequence[Entry]) -> None:
    """Insert the events and their evidence, of which the journal has none."""
    # By the ids as numbers: comparing UUIDs is slow, and the order is the same.
    ordered = sorted(entries, key=attrgetter("event.id.int"))
    evidence = [evidence_of(entry.event) for entry in ordered]
    rows = [recorded_row(entry, own) for entry, own in zip(ordered, evidence, strict=True)]
    await driver.fetch(addition(EVENT, RECORDED), whole_rows(EVENT, RECORDED, rows))
    kept = [(entry.event.id, *own) for entry, own in zip(ordered, evidence, strict=True)]
    await driver.fetch(addition(EVIDENCE, _EVIDENCE), whole_rows(EVIDENCE, _EVIDENCE, kept))


async def open_transactions(driver: Driver, entries: Sequence[Entry]) -> Sequence[PostedEntry]:
    """Insert a transaction for every entry with lines, in order; `post` must follow."""
    posting = [entry for entry in entries if entry.lines]
    if not posting:
        return []
    rows = await driver.fetch(
        addition(TRANSACTION, DATED, _POSTED),
        whole_rows(TRANSACTION, DATED, map(dated_row, posting)),
    )
    return [
        PostedEntry(row["id"], row["posted_at"], entry)
        for row, entry in zip(rows, posting, strict=True)
    ]


async def post(driver: Driver, posted: Sequence[PostedEntry]) -> None:
    """Insert the lines of these transactions, and their accounts if they are new."""
    if not posted:
        return
    accounts = account_ids(posted)
    adding = insertion(ACCOUNT, _ACCOUNT, "ON CONFLICT DO NOTHING")
    await driver.fetch(adding, *columns_of(account_rows(accounts)))
    rows = posting_rows(posted, accounts)
    await driver.fetch(addition(POSTING, _POSTING), whole_rows(POSTING, _POSTING, rows))
