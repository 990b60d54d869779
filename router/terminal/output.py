"""Output of commands: tables for people, JSON for programs, progress on standard error.

At a terminal, a table is as wide as the terminal and long cells continue on the next line.
Anywhere else, no cell is folded, so that `grep` finds a row as one line. Nothing is ever cut off,
and numbers never break.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 1_000_000
"""Columns of a pipe or file: more than any row needs."""

_SHORT: Final = 24
"""Longest cell of a `whole` column that does not break."""

_NARROW: Final = 6
"""Width that a column of text keeps at least: a narrow terminal would leave it none."""

_GAP: Final = 2
_BORDER: Final = 3
"""Columns between two cells: without and with a frame."""


def console() -> "Console":
    """Return the console on standard output."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def show_json(value: object, indent: int | None = None) -> None:
    """Print JSON, in ASCII: what others wrote cannot control the terminal."""
    click.echo(json.dumps(value, indent=indent))


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Collection[str] = (),
    whole: Collection[str] = (),
    *,
    lined: bool = True,
) -> None:
    """Print a table. An empty row draws a line between the rows before and after it.

    Columns in `numbers` are aligned right and never break; those in `whole` do not
    break either, unless one of their cells is longer than 24 characters.
    `lined` frames the table.
    """
    from rich.box import HEAVY_HEAD
    from rich.table import Table
    from rich.text import Text

    cells = [[str(cell) for cell in row] for row in rows]
    table = Table(
        # As text everywhere: what a record contains may look like rich's markup.
        title=Text(title) if title else None,
        title_justify="left",
        box=HEAVY_HEAD if lined else None,
        pad_edge=lined,
        padding=(0, 1) if lined else (0, _GAP, 0, 0),
    )
    least = 0
    for number, column in enumerate(columns):
        longest = max((len(line) for row in cells for line in _lines(row, number)), default=0)
        right = column in numbers
        unbroken = right or (column in whole and longest <= _SHORT)
        width = max(longest, len(column)) if unbroken else min(max(longest, 1), _NARROW)
        table.add_column(
            column,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=unbroken,
            min_width=width,
        )
        least += width + _BORDER
    for row in cells:
        if row:
            table.add_row(*map(Text, row))
        else:
            table.add_section()
    out = console()
    # A terminal that is narrower than that wraps lines by itself; rich would drop columns.
    out.width = max(out.width, least + 1)
    out.print(table)


def _lines(row: Sequence[str], number: int) -> Sequence[str]:
    return row[number].splitlines() if row else ()


def show_fields(title: str, fields: Mapping[str, object]) -> None:
    """Print the fields of one thing, a row each; nested ones under a dotted name."""
    rows = [(name, printable(value)) for name, value in _flat(fields)]
    show_table(title, ("field", "value"), rows)


def _flat(value: object, under: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, Mapping) or not value:
        yield under, value
        return
    for name, inner in value.items():
        yield from _flat(inner, f"{under}.{name}" if under else name)


def printable(value: object) -> str:
    """Return text unchanged if a terminal can print it, anything else as JSON.

    What others wrote may contain sequences that control a terminal.
    """
    return value if isinstance(value, str) and _is_text(value) else json.dumps(value)


def text_of(data: bytes) -> str | None:
    """Return bytes as text, or None if they are not UTF-8 that a terminal can print."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if _is_text(text) else None


def _is_text(text: str) -> bool:
    return all(each.isprintable() or each in "\n\t" for each in text)


ProgressUpdate = Callable[[int, int], None]
"""Receives how many of how many are done."""


@contextlib.contextmanager
def progress_bar(what: str, *, visible: bool = True) -> Iterator[ProgressUpdate]:
    """Show a progress bar on standard error while the block runs, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    shown = visible and sys.stderr.isatty()
    with Bar(console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def quiet_aiokafka() -> None:
    """Silence aiokafka's own logging: a command reports a broker's error in its own line."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
