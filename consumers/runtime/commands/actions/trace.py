"""Shows the path of a payment, and what to do next."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from consumers.runtime.casebook.advice import commands_of
from consumers.runtime.configured import Consumer
from consumers.runtime.trace.gather import Trace, TraceQuestion
from consumers.runtime.trace.gather import trace as find
from consumers.runtime.trace.lines import TraceLine, lines_of
from consumers.runtime.trace.notes import notes_of, searched
from consumers.runtime.trace.screen import show
from consumers.runtime.trace.verdict import Verdict, verdict_of
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import console, quiet_aiokafka, show_json
from router.terminal.processes import run_async


def show_trace(consumers: Sequence[Consumer], question: TraceQuestion, *, as_json: bool) -> None:
    """Print the trace; exits with status 1 if nothing is found or a database is unavailable."""
    quiet_aiokafka()
    found = run_async(find(consumers, question))
    lines = lines_of(found)
    verdict = verdict_of(found, lines, datetime.now(UTC))
    if as_json:
        show_json(_as_json(found, lines, verdict))
    elif found.found:
        show(console(), found, lines, verdict, notes_of(found, lines))
    else:
        _report_nothing_found(found)
    sys.exit(0 if found.found and found.whole else EXIT_PROBLEM)


def _as_json(found: Trace, lines: Sequence[TraceLine], verdict: Verdict) -> dict[str, object]:
    orders, now = sorted(found.sought.orders), datetime.now(UTC)
    return {
        "sought": found.question.text,
        "found": found.found,
        "verdict": verdict.words if found.found else "nothing found",
        "trouble": verdict.trouble,
        "orders": [{"account": account, "reference": reference} for account, reference in orders],
        "events": sorted(map(str, found.sought.event_ids)) if found.found else [],
        "lines": [line.as_json() for line in lines],
        "cases": [
            {**each.as_json(now), "commands": commands_of(each)} for each in found.open_cases
        ],
        "notes": list(notes_of(found, lines)),
        "searched": searched(found),
    }


def _report_nothing_found(found: Trace) -> None:
    click.echo(f"nothing found of {found.question.text}", err=True)
    click.echo(f"searched: {searched(found)}", err=True)
    for note in notes_of(found, ()):
        click.echo(f"note: {note}", err=True)
    click.echo(
        "events that no consumer has applied yet are not searched: payrouter offsets show;"
        " refused deliveries are sampled, the edge's log contains all of them",
        err=True,
    )
