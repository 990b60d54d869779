"""The commands to type about a case, with its names and numbers filled in."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.stored_case import StoredCase

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def commands_of(entry: CaseEntry) -> Sequence[str]:
    """Return the commands that the kind declares, then the one that shows the case in full.

    A command is left out if the case has no value for one of its placeholders, or one that a
    terminal cannot print.
    """
    filled = [
        command
        for template in entry.kind.commands
        for each in entry.members
        for command in _filled(template, _values(each))
    ]
    return [*dict.fromkeys(filled), f"payrouter cases show {entry.id}"]


def _values(found: StoredCase) -> Mapping[str, str]:
    known = {
        "consumer": found.consumer,
        "account": found.account,
        "reference": found.reference,
        "provider": found.provider,
        "provider_reference": found.provider_reference,
        **found.facts,
    }
    return {name: value for name, value in known.items() if value and value.isprintable()}


def _filled(template: str, values: Mapping[str, str]) -> Iterator[str]:
    if set(_PLACEHOLDER.findall(template)) <= values.keys():
        yield _PLACEHOLDER.sub(lambda found: shlex.quote(values[found[1]]), template)
