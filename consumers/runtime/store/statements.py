"""Statements over a batch of rows as text, for the driver itself; also through SQLAlchemy.

They are those of `arrays`, without the time that SQLAlchemy takes for each of them. JSON is text.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Column, Dialect, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection


@cache
def insertion(table: Table, names: tuple[str, ...], more: str = "") -> str:
    """Return a statement that inserts rows with these columns, in their order; JSON is text.

    `more` follows: what happens to a row that is there already, and what is returned.
    """
    columns = ", ".join(map(quoted, names))
    values = ", ".join(_stored(table.c[name]) for name in names)
    rows = f"{given(table, names)} ORDER BY place"
    return f"INSERT INTO {full_name(table)} ({columns}) SELECT {values} FROM {rows} {more}"  # noqa: S608 - names of columns


@cache
def addition(table: Table, names: tuple[str, ...], more: str = "") -> str:
    """Return a statement that inserts rows with these columns, in their order, like `insertion`.

    Its one value is an array of `whole_rows`. The driver writes that, and PostgreSQL reads it, in
    about half the time that one array per column takes.
    """
    columns = ", ".join(map(quoted, names))
    every = ", ".join(map(quoted, [*table.c.keys(), "place"]))
    rows = f"unnest($1::{full_name(table)}[]) WITH ORDINALITY AS given ({every}) ORDER BY place"
    return f"INSERT INTO {full_name(table)} ({columns}) SELECT {columns} FROM {rows} {more}"  # noqa: S608 - names of columns


def whole_rows(
    table: Table, names: Sequence[str], rows: Iterable[Sequence[object]]
) -> list[tuple[object, ...]]:
    """Return rows of these columns with all columns of the table, in its order: others are null.

    A plain batch checks before that PostgreSQL has the columns in this order.
    """
    places = {name: place for place, name in enumerate(names)}
    every = [each.name for each in table.c]
    all_of = itemgetter(*(places.get(name, len(names)) for name in every))
    return [all_of((*row, None)) for row in rows]


@cache
def change(table: Table, key: str, names: tuple[str, ...], more: str = "") -> str:
    """Return a statement that sets columns of the rows with these values of `key`, its first.

    `more` follows: what is set besides.
    """
    values = ", ".join(f"{quoted(name)} = {_stored(table.c[name])}" for name in names)
    rows, column = given(table, (key, *names)), quoted(key)
    return (
        f"UPDATE {full_name(table)} AS known SET {values} {more} FROM {rows} "  # noqa: S608 - names of columns
        f"WHERE known.{column} = given.{column}"
    )


@cache
def selection(table: Table, names: tuple[str, ...], more: str) -> str:
    """Return a statement that reads columns of the rows that `more` names."""
    columns = ", ".join(_read(table.c[name]) for name in names)
    return f"SELECT {columns} FROM {full_name(table)} {more}"  # noqa: S608 - names of columns


def given(table: Table, names: Sequence[str]) -> str:
    """Return the values of a statement as a table `given`, with the number of each row, `place`.

    It takes one array for each of these columns, whose types it has.
    """
    arrays = ", ".join(f"${n}::{_type(table.c[name])}[]" for n, name in enumerate(names, start=1))
    columns = ", ".join(map(quoted, [*names, "place"]))
    return f"unnest({arrays}) WITH ORDINALITY AS given ({columns})"


def columns_of(rows: Iterable[Sequence[object]]) -> Iterable[list[object]]:
    """Return the columns of rows, at least one: the values of a statement."""
    return map(list, zip(*rows, strict=True))


def full_name(table: Table) -> str:
    """Return the name of a table with its schema, for a statement."""
    return str(_dialect().identifier_preparer.format_table(table))


def quoted(name: str) -> str:
    """Return a name for a statement, in quotation marks if it needs them."""
    return str(_dialect().identifier_preparer.quote(name))


def _type(column: Column[Any]) -> str:
    return "TEXT" if isinstance(column.type, JSON) else str(column.type.compile(_dialect()))


def _stored(column: Column[Any]) -> str:
    name = f"given.{quoted(column.name)}"
    return f"{name}::{column.type.compile(_dialect())}" if isinstance(column.type, JSON) else name


def _read(column: Column[Any]) -> str:
    name = quoted(column.name)
    return f"{name}::text" if isinstance(column.type, JSON) else name


class ThroughSqlalchemy:
    """A `Driver` for the general way and for commands, on a connection of SQLAlchemy.

    The statements are those of the driver itself. Their errors are SQLAlchemy's, and the first one
    is known to the runtime, which has to find out who is at fault.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        """Use this connection, and its transaction."""
        self._connection = connection

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:  # noqa: ANN401 - as `Driver`
        """Execute a statement and return its rows, without names of the columns."""
        done = await self._connection.exec_driver_sql(query, args)
        return done.all() if done.returns_rows else ()


@cache
def _dialect() -> Dialect:
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return dialect
