"""Output of commands: tables for people, JSON for programs, progress on standard error.

At a terminal, a table is at most as wide as the terminal: long cells continue on the next line,
and if there is no room for whole words, each row is printed as a block of lines. Anywhere else, no
cell is folded, so that `grep` finds a row as one line. Nothing is ever cut off, and numbers never
break.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH = 1_000_000
"""Columns of a pipe or file: more than any row needs."""

_SHORT: Final = 24
"""Longest cell of a `whole` column that does not break."""

_WORD: Final = 40
"""Longest word that is not broken while there is room for it; an id has 36 characters."""

_GAP: Final = 2
"""Columns between two cells without a frame."""


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
    break either, unless one of their cells is longer than 24 characters. In other
    columns lines break between words. If the terminal is too narrow for that, the
    table has no frame; if it still is, each row is a block of lines, one per cell.
    `lined` frames the table.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    shape = [
        _column(name, [row[number] for row in cells if row], numbers, whole)
        for number, name in enumerate(columns)
    ]
    out = console()
    for framed in (True, False) if lined else (False,):
        room = out.width - _decoration(len(shape), framed=framed)
        if sum(column.least for column in shape) <= room or not cells:
            _print_table(out, title, shape, _widths(shape, room), cells, framed=framed)
            return
    _print_blocks(out, title, shape, cells)


@dataclass(frozen=True)
class _Column:
    name: str
    is_number: bool
    unbroken: bool
    least: int
    """Width at which its cells break between words only."""
    full: int
    """Width at which its cells do not break."""


def _column(
    name: str, cells: Sequence[str], numbers: Collection[str], whole: Collection[str]
) -> _Column:
    from rich.cells import cell_len

    longest = max((cell_len(line) for cell in cells for line in cell.splitlines()), default=0)
    full = max(longest, cell_len(name))
    if name in numbers or (name in whole and longest <= _SHORT):
        return _Column(name, name in numbers, unbroken=True, least=full, full=full)
    words = [min(cell_len(word), _WORD) for text in (name, *cells) for word in text.split()]
    least = max(words, default=1)
    return _Column(name, is_number=False, unbroken=False, least=least, full=max(full, 1))


def _decoration(columns: int, *, framed: bool) -> int:
    """Return how many columns of the screen a table needs for frame and gaps."""
    return columns * 3 + 1 if framed else (columns - 1) * _GAP


def _widths(shape: Sequence[_Column], room: int) -> Sequence[int]:
    """Return the width of each column: what is left beyond the least is shared out."""
    widths = [column.least for column in shape]
    left = max(room - sum(widths), 0)
    growing = sorted(range(len(shape)), key=lambda number: shape[number].full - widths[number])
    for done, number in enumerate(growing):
        more = min(shape[number].full - widths[number], left // (len(growing) - done))
        widths[number] += more
        left -= more
    return widths


def _print_table(
    out: "Console",
    title: str,
    shape: Sequence[_Column],
    widths: Sequence[int],
    cells: Sequence[Sequence[str]],
    *,
    framed: bool,
) -> None:
    from rich.box import HEAVY_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        # As text everywhere: what a record contains may look like rich's markup.
        title=Text(title) if title else None,
        title_justify="left",
        box=HEAVY_HEAD if framed else None,
        pad_edge=framed,
        padding=(0, 1) if framed else (0, _GAP, 0, 0),
    )
    for column, width in zip(shape, widths, strict=True):
        table.add_column(
            column.name,
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=column.unbroken,
            width=width,
        )
    for row in cells:
        if row:
            table.add_row(*map(Text, row))
        else:
            table.add_section()
    # Headings alone may be wider than the terminal, which then wraps lines by itself.
    out.width = max(out.width, sum(widths) + _decoration(len(shape), framed=framed))
    _print(out, table)


def _print_blocks(
    out: "Console", title: str, shape: Sequence[_Column], cells: Sequence[Sequence[str]]
) -> None:
    """Print each row as lines of a column's name and its cell, without empty cells."""
    from rich.table import Table
    from rich.text import Text

    names = max(len(column.name) for column in shape)
    unbroken = max(column.least if column.is_number else 1 for column in shape)
    out.width = max(out.width, names + _GAP + unbroken)
    if title:
        out.print(Text(title, style="table.title"))
    for row in filter(None, cells):
        block = Table.grid(padding=(0, _GAP, 0, 0))
        block.add_column(style="table.header", no_wrap=True, width=names)
        block.add_column(overflow="fold")
        for column, cell in zip(shape, row, strict=True):
            if cell:
                block.add_row(column.name, Text(cell))
        _print(out, block)
        out.print()


def _print(out: "Console", table: "Table") -> None:
    """Print a table; the blanks at the end of its lines are for terminals alone."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as printed:
        out.print(table)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


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
