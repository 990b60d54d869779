"""Prints a trace on one screen, by group and time, with problems marked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter

from rich.console import Console
from rich.text import Text

from consumers.runtime.trace.case_lines import case_lines
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.lines import EVENTS, TraceLine
from consumers.runtime.trace.verdict import Verdict

_BARE = {"type", "amount"}
"""Facts that need no label."""

_ELSEWHERE = {"account", "tx"}
"""Facts that are printed in the heading or on a separate line."""

_INDENT = 13
"""Width of two blanks, the time and the problem mark."""


def show(
    console: Console,
    trace: Trace,
    lines: Sequence[TraceLine],
    verdict: Verdict,
    notes: Sequence[str],
) -> None:
    """Print heading, lines, open cases, notes and verdict."""
    console.print(_heading(trace, lines))
    several = len({line.event_id for line in lines if line.event_id is not None}) > 1
    for group, found in groupby(lines, key=attrgetter("group")):
        for written in _group(group, found, console.width, several=several):
            console.print(written, soft_wrap=True)
    for written in case_lines(trace.open_cases, datetime.now(UTC), console.width):
        console.print(written, soft_wrap=True)
    console.print()
    for note in notes:
        console.print(Text(f"note: {note}", style="yellow"))
    console.print(Text(verdict.words, style="bold red" if verdict.trouble else "bold green"))


def _heading(trace: Trace, lines: Sequence[TraceLine]) -> Text:
    heading = Text(trace.question.text, style="bold cyan")
    accounts = {order[0] for order in trace.sought.orders}
    accounts |= {line.facts["account"] for line in lines if "account" in line.facts}
    orders = sorted({reference for _, reference in trace.sought.orders} - {trace.question.text})
    if accounts:
        heading.append(f"  {', '.join(sorted(accounts))}", style="not bold")
    if orders:
        heading.append(f"  order {', '.join(orders)}", style="not bold")
    return heading.append("  (times are UTC)", style="not bold dim")


def _group(name: str, lines: Iterable[TraceLine], width: int, *, several: bool) -> Iterable[Text]:
    """Format a group: the day whenever it changes, then time and text of each line."""
    title: Text | None = Text(f"\n{name}", style="bold")
    day = ""
    for line in lines:
        when = line.at.astimezone(UTC)
        if f"{when:%Y-%m-%d}" != day:
            day = f"{when:%Y-%m-%d}"
            yield (title or Text(" " * len(name))).append(f"  {day}", style="not bold dim")
            title = None
        first = Text(f"  {when:%H:%M:%S} ", style="dim")
        first.append("! " if line.trouble else "  ", style="not dim bold red")
        for written in _line(line, width - _INDENT, several=several):
            yield first.append_text(written)
            first = Text(" " * _INDENT)


def _line(line: TraceLine, room: int, *, several: bool) -> Iterable[Text]:
    yield from _packed(_chunks(line, several=several), room)
    if line.group == EVENTS and line.what == "recorded" and line.event_id is not None:
        yield Text(f"event {line.event_id}", style="dim")
    if "tx" in line.facts:
        yield from _packed([Text(line.facts["tx"], style="dim")], room)
    yield from _amounts(line.facts, room)


def _chunks(line: TraceLine, *, several: bool) -> Iterable[Text]:
    """Yield the text and each fact; a chunk is only split if it does not fit on a line."""
    yield Text(line.what, style="bold red" if line.trouble else "bold")
    for key, fact in line.facts.items():
        if key in _BARE:
            yield Text(_printable(fact))
        elif key not in _ELSEWHERE and not key.startswith("line "):
            yield Text(f"{key} ", style="dim").append(_printable(fact), style="not dim")
    if several and line.group != EVENTS and line.event_id is not None:
        yield Text(f"event {str(line.event_id)[:8]}", style="dim")


def _printable(fact: str) -> str:
    """Replace control characters, such as line breaks in an error, with blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in fact)


def _packed(chunks: Iterable[Text], room: int) -> Iterable[Text]:
    """Put as many chunks on a line as fit; wrap a longer one."""
    written = Text()
    for chunk in chunks:
        gap = 2 if written else 0
        if written and len(written) + gap + len(chunk) > room:
            yield written
            written, gap = Text(), 0
        *whole, rest = [chunk] if len(chunk) <= room else chunk.wrap(Console(width=room), room)
        yield from whole
        written.append(" " * gap).append_text(rest)
    if written:
        yield written


def _amounts(facts: Mapping[str, str], room: int) -> Iterable[Text]:
    """Format one account and amount per line, amounts aligned if the width allows it."""
    postings = [fact.rsplit(" ", 2) for key, fact in facts.items() if key.startswith("line ")]
    pairs = [(parts[0], " ".join(parts[1:])) for parts in postings]
    names = max((len(name) for name, _ in pairs), default=0)
    amounts = max((len(amount) for _, amount in pairs), default=0)
    for name, amount in pairs:
        if names + 2 + amounts <= room:
            yield Text(f"{name:<{names}}  {amount:>{amounts}}")
        else:
            yield from _packed([Text(name)], room)
            yield Text(f"{amount:>{room}}")
