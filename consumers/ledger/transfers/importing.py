"""Adds the operations of a file to the ledger: all that are missing, or nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import SCHEMA
from consumers.ledger.transfers.exporting import stored_entries
from consumers.ledger.transfers.operations_file import (
    CaseWordLine,
    OperationLine,
    OperationsEntry,
    TransferLine,
)
from consumers.ledger.transfers.reading_file import LineProblem, NumberedEntry, read_entries
from consumers.ledger.transfers.transfer import post_transfers
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import RuntimeTables
from router.terminal.exits import CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

_LOCK = 0x6C64_6765_7269_6D70
"""One import at a time: "ldgerimp" as a number."""

_TYPES = ("transfer", "case_word", "operation")


@dataclass(frozen=True)
class ImportPlan:
    """The entries that are missing here, and how many are known, by type."""

    missing: Sequence[NumberedEntry]
    known: Mapping[str, int]

    @property
    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Numbers of missing and of known entries, by type."""
        missing = Counter[str](each.entry.type for each in self.missing)
        return {kind: (missing[kind], self.known.get(kind, 0)) for kind in _TYPES}


def import_operations(settings: ConsumerSettings, file: Path, *, yes: bool, as_json: bool) -> None:
    """Print what a file would add, and add it if that is confirmed."""
    entries = read_entries(file)
    work = _imported if yes else _compared
    try:
        plan = run_async(work(settings, file, entries))
    except LineProblem as problem:
        message = f"{file}: {problem}"
        raise CommandError(message) from None
    _report(plan, done=yes, as_json=as_json)


async def _compared(
    settings: ConsumerSettings, _file: Path, entries: Sequence[NumberedEntry]
) -> ImportPlan:
    async with reading(settings, patient=True) as connection:
        return await _plan(connection, entries)


async def _imported(
    settings: ConsumerSettings, file: Path, entries: Sequence[NumberedEntry]
) -> ImportPlan:
    async with acting(settings) as engine, engine.begin() as transaction:
        await transaction.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        plan = await _plan(transaction, entries)
        if plan.missing:
            await _record(transaction, file, plan)
            await _write(transaction, plan.missing)
    return plan


async def _plan(connection: AsyncConnection, entries: Sequence[NumberedEntry]) -> ImportPlan:
    """Compare a file with the ledger. Raises LineProblem if they contradict each other."""
    stored = {each.id: each for each in await stored_entries(connection)}
    known = [each for each in entries if each.entry.id in stored]
    for line, entry in known:
        if not _is_same(entry, stored[entry.id]):
            message = f"{entry.type}.id: {entry.id} is known with other content"
            raise LineProblem(line, message)
    missing = [each for each in entries if each.entry.id not in stored]
    _check_undoings(missing, {**stored, **{each.entry.id: each.entry for each in entries}})
    return ImportPlan(missing, Counter(each.entry.type for each in known))


def _is_same(entry: OperationsEntry, stored: OperationsEntry) -> bool:
    # The id of other entries is that of their content.
    return not isinstance(entry, TransferLine) or entry == stored


def _check_undoings(
    missing: Iterable[NumberedEntry], every: Mapping[UUID, OperationsEntry]
) -> None:
    undone: dict[UUID, UUID] = {}
    for each in every.values():
        if isinstance(each, TransferLine) and each.undoes is not None:
            undone.setdefault(each.undoes, each.id)
    for line, entry in missing:
        if not isinstance(entry, TransferLine) or entry.undoes is None:
            continue
        first = every.get(entry.undoes)
        if not isinstance(first, TransferLine):
            raise LineProblem(line, f"transfer.undoes: there is no transfer {entry.undoes}")
        if not entry.as_transfer().is_reverse_of(first.as_transfer()) or first.undoes is not None:
            raise LineProblem(line, f"transfer.undoes: is not the reverse of {entry.undoes}")
        if undone[entry.undoes] != entry.id:
            message = f"{entry.undoes} is already undone by {undone[entry.undoes]}"
            raise LineProblem(line, f"transfer.undoes: {message}")


async def _write(transaction: AsyncConnection, missing: Sequence[NumberedEntry]) -> None:
    tables = RuntimeTables.of(SCHEMA)
    entries = [each.entry for each in missing]
    words = [each.columns for each in entries if isinstance(each, CaseWordLine)]
    if words:
        await transaction.execute(tables.case_word.insert(), words)
    operations = [each.columns for each in entries if isinstance(each, OperationLine)]
    if operations:
        await transaction.execute(tables.operation.insert(), operations)
    transfers = [each.as_transfer() for each in entries if isinstance(each, TransferLine)]
    # Last, since it locks the running balances.
    posted = await post_transfers(transaction, transfers)
    if len(posted) < len(transfers):
        message = "a transfer was posted at the same time; nothing was imported: try again"
        raise CommandError(message)


async def _record(transaction: AsyncConnection, file: Path, plan: ImportPlan) -> None:
    counts = ", ".join(f"{new} of type {kind}" for kind, (new, _) in plan.counts.items())
    await record_operation(
        transaction,
        RuntimeTables.of(SCHEMA),
        operator_name(),
        "ledger import",
        f"{file.name}: {counts}",
    )


def _report(plan: ImportPlan, *, done: bool, as_json: bool) -> None:
    if as_json:
        counts = {kind: {"new": new, "known": known} for kind, (new, known) in plan.counts.items()}
        show_json({"done": done, **counts})
        return
    rows = [(kind, str(new), str(known)) for kind, (new, known) in plan.counts.items()]
    show_table("", ("type", "missing here", "known"), rows, numbers=("missing here", "known"))
    number = f"{len(plan.missing)} line{'' if len(plan.missing) == 1 else 's'}"
    if not plan.missing:
        click.echo("nothing is missing here")
    else:
        click.echo(f"{number} added" if done else f"{number} would be added; --yes does it")
