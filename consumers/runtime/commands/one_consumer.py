"""What every command about one consumer shares: whose it is, who runs it, how it prints."""

import asyncio
import getpass
import json
import socket
import sys
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.runtime.store.database import StoreUnavailable

Answer = TypeVar("Answer")

EXIT_PROBLEM = 1

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def answered(question: Coroutine[Any, Any, Answer]) -> Answer:
    """Run what a command does, or end it with one line where the store is not there."""
    try:
        return asyncio.run(question)
    except StoreUnavailable as problem:
        raise click.ClickException(str(problem)) from None


def operator() -> str:
    """Name who runs this command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def show_json(value: object) -> None:
    """Print for programs."""
    click.echo(json.dumps(value, ensure_ascii=False))


_SHORT = 24
"""Characters that are kept on one line, where that is asked for."""


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> None:
    """Print for people; what is too long for its column goes on below, numbers never do.

    Nor does what is in a column of `whole`, as long as it is short enough for that.
    """
    right = set(numbers)
    cells = [[str(cell) for cell in row] for row in rows]
    untorn = set(whole)
    # As text: what a record says may look like rich's markup.
    table = Table(title=Text(title), title_justify="left")
    for number, column in enumerate(columns):
        if column in right:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            short = all(len(row[number]) <= _SHORT for row in cells)
            table.add_column(column, overflow="fold", no_wrap=column in untorn and short)
    for row in cells:
        table.add_row(*map(Text, row))
    # A pipe has no width of its own: leave the lines whole.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
