"""Statements over a batch of rows, which travel as one array per column.

A batch of any size is the same prepared statement, and never exceeds the limit on parameters.
"""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnClause,
    ColumnElement,
    Table,
    Text,
    cast,
    column,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import TableValuedAlias

Columns = Sequence[ColumnClause[Any]]


def as_table(
    columns: Columns, rows: Iterable[Sequence[object]], place: str | None = None
) -> TableValuedAlias:
    """Return rows, at least one, as a table: `unnest` of one array per column.

    `place` is the name of one more column, with the number of each row.
    """
    values = zip(*rows, strict=True)
    arrays = [literal(list(each), ARRAY(of.type)) for of, each in zip(columns, values, strict=True)]
    named = [column(each.name, each.type) for each in columns]
    unnested = func.unnest(*arrays).table_valued(*named, with_ordinality=place)
    return unnested.render_derived()


def any_of(of: ColumnClause[Any], values: Iterable[object]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values."""
    return of == func.any(literal(list(values), ARRAY(of.type)))


def inserting(table: Table, columns: Columns, rows: Iterable[Sequence[object]]) -> Insert:
    """Return a statement that inserts rows, at least one, in their order."""
    source = as_table(columns, rows, "place")
    names = [each.name for each in columns]
    values = (_stored(table, source, name) for name in names)
    return insert(table).from_select(names, select(*values).order_by(source.c.place))


def as_text(of: ColumnClause[Any]) -> ColumnClause[str]:
    """Return a column for values of `of` that are already text, such as encoded JSON."""
    return column(of.name, Text)


def _stored(table: Table, source: TableValuedAlias, name: str) -> ColumnElement[Any]:
    given, wanted = source.c[name], table.c[name].type
    return cast(given, wanted) if isinstance(wanted, JSON) and _is_text(given) else given


def _is_text(given: ColumnElement[Any]) -> bool:
    return isinstance(given.type, Text)


def rows_of(columns: Columns, objects: Iterable[object]) -> Iterable[tuple[object, ...]]:
    """Return rows with the attributes that are named as these columns, at least two."""
    return map(attrgetter(*(each.name for each in columns)), objects)


async def add_missing(
    transaction: AsyncConnection, table: Table, columns: Columns, objects: Iterable[Any]
) -> None:
    """Insert those objects, in the order of their ids, of which the table has no row."""
    ordered = sorted(objects, key=attrgetter("id"))
    if ordered:
        adding = inserting(table, columns, rows_of(columns, ordered))
        await transaction.execute(adding.on_conflict_do_nothing())


async def add_and_name(
    transaction: AsyncConnection, table: Table, columns: Columns, objects: Iterable[Any]
) -> set[Any]:
    """Insert like `add_missing`; return the ids of the new rows, which are locked by that."""
    ordered = sorted(objects, key=attrgetter("id"))
    if not ordered:
        return set()
    adding = inserting(table, columns, rows_of(columns, ordered)).on_conflict_do_nothing()
    return set(await transaction.scalars(adding.returning(table.c.id)))


async def lock_rows(
    transaction: AsyncConnection,
    table: Table,
    columns: Columns,
    ids: Collection[object],
    *,
    shared: bool = False,
) -> Sequence[Any]:
    """Lock the rows with these ids and return their columns.

    Locks in the order of the ids, so that two processes that need the same rows never deadlock.
    """
    if not ids:
        return []
    rows = await transaction.execute(
        select(*columns)
        .where(any_of(table.c.id, ids))
        .order_by(table.c.id)
        .with_for_update(read=shared)
    )
    return rows.all()


async def update_rows(
    transaction: AsyncConnection,
    table: Table,
    columns: Columns,
    objects: Collection[object],
    **more: Any,  # noqa: ANN401 - what SQLAlchemy takes for a value
) -> None:
    """Store objects in the rows with their ids; `more` are values for all of these rows."""
    if objects:
        source = as_table(columns, rows_of(columns, objects))
        names = [each.name for each in columns if each.name != "id"]
        values = {name: _stored(table, source, name) for name in names}
        await transaction.execute(
            update(table).where(table.c.id == source.c.id).values(**values, **more)
        )
