"""Writes values in TOML."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

WIDTH: Final = 100
"""Longest line; a longer list is written with one element a line."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_key(name: str) -> str:
    """Write a key, in quotation marks if it needs them."""
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def toml_value(value: object) -> str:
    """Write a JSON value on one line."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # Text, numbers and booleans are written in TOML as in JSON.
    return json.dumps(value, ensure_ascii=False)


def toml_lines(key: str, value: object) -> Sequence[str]:
    """Write a key with its value, as few lines as fit."""
    line = f"{toml_key(key)} = {toml_value(value)}"
    if len(line) < WIDTH or not isinstance(value, list | tuple):
        return [line]
    return [f"{toml_key(key)} = [", *_elements(value), "]"]


def _elements(values: Sequence[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping):
            yield from _pairs(value)
        elif isinstance(value, str) and "\n" in value:
            yield from f'  """\n{value}""",'.splitlines()
        else:
            yield f"  {toml_value(value)},"


def _pairs(table: Mapping[str, object]) -> Iterator[str]:
    """Write an inline table, which must not contain line breaks except within its lists."""
    opened = "  { "
    for number, (key, value) in enumerate(table.items(), start=1):
        end = " }," if number == len(table) else ", "
        if not isinstance(value, list | tuple) or len(toml_value(value)) < WIDTH // 2:
            opened += f"{toml_key(key)} = {toml_value(value)}{end}"
            continue
        yield f"{opened}{toml_key(key)} = ["
        yield from (f"    {toml_value(each)}," for each in value)
        opened = f"  ]{end}"
    yield opened.rstrip()
