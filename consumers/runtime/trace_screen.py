"""A trace for a person at night: one screen, by group and time, trouble marked."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from itertools import groupby
from operator import attrgetter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.runtime.trace import Trace
from consumers.runtime.trace_lines import EVENTS, Line
from consumers.runtime.trace_verdict import Verdict

_WHOLE_LINES = 200
"""A pipe has no width of its own."""

_BARE = {"type", "amount"}
"""Facts that say by themselves what they are."""

_HANDED_ON = {"account"}
"""Facts that stand in the heading."""


def screen() -> Console:
    """Return where it is printed: as wide as the terminal, or as its lines are without one."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WHOLE_LINES)


def show(
    console: Console,
    trace: Trace,
    lines: Sequence[Line],
    verdict: Verdict,
    notes: Sequence[str],
) -> None:
    """Print it."""
    console.print(_heading(trace, lines))
    several = len({line.event_id for line in lines if line.event_id is not None}) > 1
    for group, found in groupby(lines, key=attrgetter("group")):
        console.print(Text(f"\n{group}", style="bold"))
        console.print(_table(found, console.width, several=several))
    console.print()
    for note in notes:
        console.print(Text(f"note: {note}", style="yellow"))
    console.print(Text(verdict.words, style="bold red" if verdict.trouble else "bold green"))


def _heading(trace: Trace, lines: Sequence[Line]) -> Text:
    heading = Text(trace.question.text, style="bold cyan")
    accounts = {order[0] for order in trace.sought.orders}
    accounts |= {line.facts["account"] for line in lines if "account" in line.facts}
    orders = sorted({reference for _, reference in trace.sought.orders} - {trace.question.text})
    if accounts:
        heading.append(f"  {', '.join(sorted(accounts))}", style="not bold")
    if orders:
        heading.append(f"  order {', '.join(orders)}", style="not bold")
    return heading.append("  (times are UTC)", style="not bold dim")


def _table(lines: Iterable[Line], width: int, *, several: bool) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="bold red", width=1)
    table.add_column(overflow="fold")
    room = width - 24
    for line in lines:
        when = f"  {line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        table.add_row(when, "!" if line.trouble else "", _first(line, several=several))
        for more in _below(line, room):
            table.add_row("", "", more)
    return table


def _first(line: Line, *, several: bool) -> Text:
    text = Text(line.what, style="bold red" if line.trouble else "")
    for key, fact in line.facts.items():
        if key not in _HANDED_ON and not key.startswith("line "):
            text.append("  ", style="not bold")
            if key not in _BARE:
                text.append(f"{key} ", style="not bold dim")
            text.append(fact, style="not bold default")
    if several and line.group != EVENTS and line.event_id is not None:
        text.append("  event ", style="not bold dim")
        text.append(str(line.event_id)[:8], style="not bold default")
    return text


def _below(line: Line, room: int) -> Iterable[Text]:
    if line.group == EVENTS and line.what == "recorded" and line.event_id is not None:
        yield Text(f"event {line.event_id}", style="dim")
    yield from _amounts(line.facts, room)


def _amounts(facts: Mapping[str, str], room: int) -> Iterable[Text]:
    """Print an account and its amount on a line, amounts under each other where there is room."""
    posted = [fact.rsplit(" ", 2) for key, fact in facts.items() if key.startswith("line ")]
    pairs = [(parts[0], " ".join(parts[1:])) for parts in posted]
    names = max((len(name) for name, _ in pairs), default=0)
    amounts = max((len(amount) for _, amount in pairs), default=0)
    for name, amount in pairs:
        if names + 2 + amounts <= room:
            yield Text(f"{name:<{names}}  {amount:>{amounts}}")
        else:
            yield Text(name)
            yield Text(f"{amount:>{room}}")
