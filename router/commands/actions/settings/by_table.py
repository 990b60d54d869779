"""Prints keys of the configuration by their table, or each with its whole name."""

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby

from router.terminal.output import show_table


def show_by_table(columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows that begin with the name of a table and a key of it.

    At a terminal each table of the configuration is one with short keys; elsewhere there is one
    with whole keys, so that `grep` finds a key.
    """
    if not sys.stdout.isatty():
        show_table("", columns, [(whole_key(table, key), *rest) for table, key, *rest in rows])
        return
    for name, group in groupby(rows, key=lambda row: row[0]):
        show_table(f"[{name}]", columns, [row[1:] for row in group], whole=("key",))


def whole_key(table: str, key: str) -> str:
    """Return a key with the name of its table."""
    return f"{table}.{key}" if table else key
