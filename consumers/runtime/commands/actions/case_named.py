"""Finds the one case that an operator names."""

from consumers.runtime.casebook.entry import CaseEntry, entries_named
from consumers.runtime.casebook.gather import GatheredCases
from router.terminal.exits import CommandError


def case_named(found: GatheredCases, prefix: str) -> CaseEntry:
    """Return the case whose id begins so. Raises CommandError if there is none, or several."""
    named = entries_named(found.cases, prefix.lower())
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(each.id for each in named[:10])
        message = f"several cases begin with {prefix}: {ids}"
        raise CommandError(message)
    away = "".join(f"; {name} could not be read: {why}" for name, why in found.away.items())
    message = (
        f"there is no case {prefix}: it is settled, or its facts have changed;"
        f" `payrouter cases list` shows the open ones{away}"
    )
    raise CommandError(message)
