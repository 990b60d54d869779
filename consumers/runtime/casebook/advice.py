"""The commands to type about a case, with its names and numbers filled in."""

import re
from collections.abc import Iterator, Mapping, Sequence

from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.stored_case import StoredCase
from router.terminal.typed import typed

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
        yield _typed(template.split(), values)


def _typed(words: Sequence[str], values: Mapping[str, str]) -> str:
    """Fill in a template: a command, then its arguments and its options, each with a value."""
    start = next(place for place, word in enumerate(words) if word.startswith(("{", "--")))
    arguments, options = [], {}
    rest = iter(words[start:])
    for word in rest:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            options[name] = _fill(value if equals else next(rest), values)
        else:
            arguments.append(_fill(word, values))
    return typed(" ".join(words[:start]), arguments, options)


def _fill(word: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], word)
