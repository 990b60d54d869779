"""Formats the open cases at the end of a trace, each with its commands."""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.text import Text

from consumers.runtime.casebook.advice import commands_of
from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.wording import facts_text, kind_text
from router.terminal.ages import age_text


def case_lines(cases: Sequence[CaseEntry], now: datetime, width: int) -> Iterable[Text]:
    """Yield a heading, then lines for each case; only commands may be wider than `width`."""
    if not cases:
        return
    yield Text("\nopen cases", style="bold")
    for each in cases:
        age = age_text(now - each.since)
        yield Text(f"  {each.id}  {kind_text(each)}, {age}", style="bold red")
        for words in textwrap.wrap(facts_text(each), width - 4):
            yield Text(f"    {words}")
        for command in commands_of(each):
            yield Text(f"    {command}", style="cyan")
