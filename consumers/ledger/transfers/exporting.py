"""Writes a ledger's own operations to standard output: what the topics do not have."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from pydantic import BaseModel
from sqlalchemy import Table, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import SCHEMA
from consumers.ledger.transfers.operations_file import (
    VERSION,
    CaseWordLine,
    OperationLine,
    OperationsEnd,
    OperationsEntry,
    OperationsHeader,
    TransferLine,
)
from consumers.ledger.transfers.transfer import read_transfers
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading
from consumers.runtime.store.tables import RuntimeTables
from router.terminal.processes import run_async


def export_operations(settings: ConsumerSettings) -> None:
    """Print every transfer, decision about a case and record of an operation as JSON lines."""
    now, entries = run_async(_read(settings))
    for line in (
        OperationsHeader(version=VERSION, exported_at=now),
        *entries,
        OperationsEnd(lines=len(entries)),
    ):
        click.echo(line_text(line))


def line_text(line: BaseModel) -> str:
    """Return a line of the file, without its end."""
    return line.model_dump_json(by_alias=True)


async def _read(settings: ConsumerSettings) -> tuple[datetime, Sequence[OperationsEntry]]:
    async with reading(settings, patient=True) as connection:
        now = (await connection.execute(select(func.now()))).scalar_one()
        return now, await stored_entries(connection)


async def stored_entries(connection: AsyncConnection) -> Sequence[OperationsEntry]:
    """Return all operations of the ledger, each kind oldest first."""
    tables = RuntimeTables.of(SCHEMA)
    transfers = await read_transfers(connection, true())
    words = await _rows(connection, tables.case_word)
    operations = await _rows(connection, tables.operation)
    return [
        *map(TransferLine.of, transfers),
        *map(CaseWordLine.of, words),
        *map(OperationLine.of, operations),
    ]


async def _rows(connection: AsyncConnection, table: Table) -> Iterable[Mapping[str, Any]]:
    columns = [each for each in table.c if each.name != "id"]
    rows = await connection.execute(select(*columns).order_by(table.c.at, table.c.id))
    return [dict(row) for row in rows.mappings()]
