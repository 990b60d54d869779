"""Prints keys of the configuration by their table, or each with its whole name."""

import sys
from collections.abc import Iterable, Sequence

from router.configuration.sources import PREFIX
from router.terminal.output import show_table


def show_by_table(columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows that begin with the name of a table and a key of it.

    At a terminal each table of the configuration is one with short keys; elsewhere there is one
    with whole keys, so that `grep` finds a key.
    """
    if not sys.stdout.isatty():
        show_table("", columns, [(_whole_key(table, key), *rest) for table, key, *rest in rows])
        return
    tables: dict[str, list[tuple[str, ...]]] = {}
    for table, *row in rows:
        tables.setdefault(table, []).append(tuple(map(_narrow, row)))
    for name, own in tables.items():
        show_table(f"[{name}]" if name else "", columns, own, whole=("key",))


def _narrow(cell: str) -> str:
    """Return a cell with line breaks in the name of a variable, which no space divides."""
    is_name = cell.startswith(PREFIX) and cell.isidentifier()
    return cell.replace("__", "__\n") if is_name else cell


def _whole_key(table: str, key: str) -> str:
    return f"{table}.{key}" if table else key
