"""Rows with all columns of a table: PostgreSQL has the columns in the order of the table's code."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.notifications.tables import CUSTOMER
from consumers.runtime.service import Service
from consumers.runtime.store.statements import addition, whole_rows
from consumers.runtime.store.tables import RuntimeTables
from tests.parts.templates import Templates

COLUMNS = text(
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) "
    "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)

NEVER_ADDED = {"brake", "fence"}
"""Tables to which no row is added as a whole: the order of their columns does not matter."""


def tables_of(service: Service) -> Sequence[Table]:
    """Return the tables of a consumer, with those of the runtime."""
    own = service.tables.tables.values()
    return [*own, *RuntimeTables.of(service.schema).metadata.tables.values()]


@pytest.mark.parametrize("service", [LEDGER, INVENTORY, NOTIFICATIONS], ids=lambda each: each.name)
async def test_migrations_add_columns_in_the_order_of_the_table(
    templates: Templates, service: Service
) -> None:
    with templates.copied(service) as url:
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                found = {
                    table: list(await connection.scalars(COLUMNS, {"name": str(table)}))
                    for table in tables_of(service)
                }
        finally:
            await engine.dispose()
    differing = {
        table.name for table, columns in found.items() if columns != [each.name for each in table.c]
    }
    assert all(found.values())
    assert differing <= NEVER_ADDED


def test_columns_that_are_not_given_are_null() -> None:
    rows = whole_rows(CUSTOMER, ("reference", "account"), [("A-1", "shop"), ("A-2", "shop")])
    assert [row[:3] for row in rows] == [("shop", "A-1", None), ("shop", "A-2", None)]
    assert {len(row) for row in rows} == {len(CUSTOMER.c)}


def test_only_the_columns_that_are_given_are_inserted() -> None:
    statement = addition(CUSTOMER, ("account", "reference"))
    assert statement.startswith("INSERT INTO notifications.customer (account, reference) SELECT")
    assert "unnest($1::notifications.customer[])" in statement
