"""Prints results as tables of at most 80 columns."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tests.benchmarks.report.sheets import Sheet

COLUMNS = 80


def print_sheets(found: Iterable[Sheet]) -> None:
    """Print each table under its title."""
    console = Console(width=COLUMNS, highlight=False)
    for sheet in found:
        console.print(sheet.title, style="bold", markup=False)
        console.print(_table(sheet), "", markup=False)


def _table(sheet: Sheet) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for number, column in enumerate(sheet.columns):
        table.add_column(column, justify="right" if number else "left")
    for row in sheet.rows:
        table.add_row(*row)
    return table
