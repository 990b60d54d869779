"""Checks that PostgreSQL has the columns of tables in the order of their code.

Rows of plain batches are given whole, in that order. Migrations add columns in it, but a database
that someone made in another way may differ, and values of one type would change places unnoticed.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Table

from consumers.runtime.service import Driver, Service
from consumers.runtime.store.statements import full_name
from consumers.runtime.store.tables import RuntimeTables

_NEVER_WHOLE: Final = frozenset({"brake", "fence"})
"""Tables to which no row is added as a whole: the order of their columns does not matter."""

_COLUMNS: Final = (
    "SELECT wanted.name, attname FROM unnest($1::text[]) AS wanted (name)"
    " JOIN pg_attribute ON attrelid = to_regclass(wanted.name) AND attnum > 0 AND NOT attisdropped"
    " ORDER BY wanted.name, attnum"
)


async def misplaced(driver: Driver, service: Service) -> Sequence[str]:
    """Return the names of a consumer's tables whose columns differ from those of the code."""
    tables = {full_name(each): each for each in _tables_of(service)}
    found: dict[str, list[str]] = {name: [] for name in tables}
    for name, column in await driver.fetch(_COLUMNS, list(tables)):
        found[name].append(column)
    return sorted(name for name, each in tables.items() if found[name] != each.c.keys())


def _tables_of(service: Service) -> Iterable[Table]:
    own, runtime = service.tables, RuntimeTables.of(service.schema).metadata
    for table in (*own.tables.values(), *runtime.tables.values()):
        if table.name not in _NEVER_WHOLE:
            yield table
