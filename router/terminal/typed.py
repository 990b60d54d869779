"""Commands as they are typed into a shell, which interprets nothing of what they contain.

A reference of a gateway or of an order may contain a space, a quotation mark or `$(…)`, and may
begin with a hyphen, which would make it an option.
"""

import shlex
from collections.abc import Mapping, Sequence


def typed(
    command: str,
    arguments: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
) -> str:
    """Return a command with its arguments, its options with values, and its flags."""
    words = command.split()
    given = [word for name, value in (options or {}).items() for word in _option(name, value)]
    given += flags
    if any(each.startswith("-") for each in arguments):
        return shlex.join([*words, *given, "--", *arguments])
    return shlex.join([*words, *arguments, *given])


def _option(name: str, value: str) -> Sequence[str]:
    # A value that begins with a hyphen would be an option itself.
    return (f"{name}={value}",) if value.startswith("-") else (name, value)
