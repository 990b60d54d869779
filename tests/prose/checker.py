"""Finds idioms in prose, less those that the allow-list permits."""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.prose.patterns import PATTERNS, Pattern
from tests.prose.sources import Prose

ALLOWED: Final = Path("tests/prose/allowed.toml")
"""The allow-list of a checkout, relative to its root."""

_SENTENCE_ENDS: Final = (". ", ".\n", "? ", "! ", "\n\n")


class AllowListError(Exception):
    """An entry of the allow-list is malformed or matches nothing any more."""


@dataclass(frozen=True)
class Hit:
    """An idiom at a line of a file."""

    path: str
    line: int
    phrase: str
    pattern: str
    instead: str
    sentence: str
    area: str


@dataclass(frozen=True)
class Allowed:
    """An exception: hits in this file within this text are right, for a reason."""

    path: str
    text: str
    reason: str

    def permits(self, hit: Hit) -> bool:
        """Return whether the hit is in this file, and its phrase and sentence match the text."""
        text = " ".join(self.text.split())
        return hit.path == self.path and hit.phrase in text and text in hit.sentence


def find_hits(prose: Prose, patterns: Sequence[Pattern] = PATTERNS) -> Iterator[Hit]:
    """Yield the idioms in a text; of overlapping ones only the first."""
    covered = 0
    for start, end, index in sorted(_matches(prose.text, patterns)):
        if start < covered:
            continue
        covered = end
        pattern = patterns[index]
        yield Hit(
            path=prose.path,
            line=prose.line + prose.text.count("\n", 0, start),
            phrase=" ".join(prose.text[start:end].split()),
            pattern=pattern.name,
            instead=pattern.instead,
            sentence=_sentence(prose.text, start, end),
            area=prose.area,
        )


def read_allowed(root: Path) -> list[Allowed]:
    """Return the allow-list of the checkout; empty if it has none. Raises AllowListError."""
    try:
        table = tomllib.loads((root / ALLOWED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except tomllib.TOMLDecodeError as error:
        message = f"{ALLOWED}: {error}"
        raise AllowListError(message) from error
    return [_entry(number, values) for number, values in enumerate(table.get("allow", []), 1)]


def remaining(hits: Iterable[Hit], allowed: Iterable[Allowed]) -> tuple[list[Hit], list[Allowed]]:
    """Return the hits that no entry permits, and the entries that permit none of the hits."""
    left: list[Hit] = []
    unused = list(allowed)
    entries = tuple(unused)
    for hit in hits:
        permitting = [entry for entry in entries if entry.permits(hit)]
        unused = [entry for entry in unused if entry not in permitting]
        if not permitting:
            left.append(hit)
    return left, unused


def _matches(text: str, patterns: Sequence[Pattern]) -> Iterator[tuple[int, int, int]]:
    for index, pattern in enumerate(patterns):
        for match in pattern.expression.finditer(text):
            space = len(match[0]) - len(match[0].lstrip(" \n\t#>*|-"))
            if match.start() + space < match.end():
                yield match.start() + space, match.end(), index


def _sentence(text: str, start: int, end: int) -> str:
    begin = max((text.rfind(mark, 0, start) + len(mark)) for mark in _SENTENCE_ENDS)
    begin = begin if any(text.rfind(mark, 0, start) >= 0 for mark in _SENTENCE_ENDS) else 0
    stops = [stop for mark in _SENTENCE_ENDS if (stop := text.find(mark, end)) >= 0]
    return " ".join(text[begin : min(stops, default=len(text)) + 1].split())


def _entry(number: int, values: object) -> Allowed:
    keys = ("path", "text", "reason")
    if isinstance(values, dict) and set(values) == set(keys):
        path, text, reason = (values[key] for key in keys)
        if all(isinstance(value, str) and value.strip() for value in (path, text, reason)):
            return Allowed(path, text, reason)
    message = f"{ALLOWED}: entry {number} needs path, text and reason"
    raise AllowListError(message)
