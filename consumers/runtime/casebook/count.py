"""Counts the open cases of one consumer, for the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.casebook.statement import case_statement
from consumers.runtime.casebook.stored_case import kind_named
from consumers.runtime.cases.kind import CaseKind
from consumers.runtime.service import Service
from consumers.runtime.store.tables import RuntimeTables


@dataclass(frozen=True)
class CaseCount:
    """Number of open cases of a kind, and the age of the oldest in seconds; NaN if unknown."""

    open: float
    oldest_seconds: float


async def count_cases(
    connection: AsyncConnection, service: Service, tables: RuntimeTables
) -> Mapping[CaseKind, CaseCount]:
    """Count the open cases of every kind; a kind without one is missing."""
    found = case_statement(service, tables)
    age = func.extract("epoch", func.clock_timestamp() - func.min(found.c.since))
    rows = await connection.execute(
        select(found.c.kind, func.count(), age).where(~found.c.closed).group_by(found.c.kind)
    )
    return {
        kind_named(service, str(name)): CaseCount(number, max(float(seconds), 0.0))
        for name, number, seconds in rows
    }
