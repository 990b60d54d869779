"""Sentences below a trace: what was searched, and what could not be."""

from collections.abc import Iterator, Sequence

from consumers.runtime.trace import held_up
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.lines import TraceLine


def notes_of(found: Trace, lines: Sequence[TraceLine]) -> Sequence[str]:
    """Return what could not be read, what is held up, and whether several merchants have it."""
    notes = [f"{name} could not be queried: {why}" for name, why in sorted(found.away.items())]
    notes += _scan_notes(found)
    notes += held_up.notes_of(found.standings)
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


def searched(found: Trace) -> str:
    """Return what was searched."""
    names = ", ".join(sorted(found.answers)) or "no consumer"
    kept, refused = found.quarantined.records, found.refused.records
    return f"{names}, and {kept} record{_s(kept)} on quarantine, {refused} refused"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
