"""Shows the path of a payment, and what to do next."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from consumers.runtime.casebook.advice import commands_of
from consumers.runtime.configured import Consumer
from consumers.runtime.trace.gather import Trace, TraceQuestion
from consumers.runtime.trace.gather import trace as find
from consumers.runtime.trace.held_up import notes_of
from consumers.runtime.trace.lines import TraceLine, lines_of
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
        show(console(), found, lines, verdict, _notes(found, lines))
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
        "notes": list(_notes(found, lines)),
        "searched": _searched(found),
    }


def _report_nothing_found(found: Trace) -> None:
    click.echo(f"nothing found of {found.question.text}", err=True)
    click.echo(f"searched: {_searched(found)}", err=True)
    for note in _notes(found, ()):
        click.echo(f"note: {note}", err=True)
    click.echo(
        "events that no consumer has applied yet are not searched: payrouter offsets show;"
        " refused deliveries are sampled, the edge's log contains all of them",
        err=True,
    )


def _searched(found: Trace) -> str:
    names = ", ".join(sorted(found.answers)) or "no consumer"
    kept, refused = found.quarantined.records, found.refused.records
    return f"{names}, and {kept} record{_s(kept)} on quarantine, {refused} refused"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _notes(found: Trace, lines: Sequence[TraceLine]) -> Sequence[str]:
    notes = [f"{name} could not be queried: {why}" for name, why in sorted(found.away.items())]
    notes += _scan_notes(found)
    notes += notes_of(found.standings)
    if found.standings.away and not found.quarantined.problem:
        notes.append(f"whether a consumer is held up is not known: {found.standings.away}")
    accounts = {line.order[0] for line in lines if line.order is not None}
    if len(accounts) > 1:
        named = ", ".join(sorted(accounts))
        notes.append(f"several merchants have it: {named}; --account names one")
    return notes


def _scan_notes(found: Trace) -> Iterator[str]:
    newest = found.question.quarantine_limit
    if newest == 0:
        yield "quarantine and refused deliveries were not read"
        return
    scans = (("the quarantine", found.quarantined), ("the refused deliveries", found.refused))
    for what, scanned in scans:
        if scanned.problem is not None:
            yield f"{what} could not be read to the end: {scanned.problem}"
        elif scanned.older:
            yield f"of {what}, the newest {newest} of each partition were read"
