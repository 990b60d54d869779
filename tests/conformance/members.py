"""The members of a gateway's message, JSON or a form, and changes of single members."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, unquote_plus

ODD_TEXTS = ("line\nfeed", "nul\x00", "x" * 1000)
ODD_JSON: Sequence[object] = (*ODD_TEXTS, "half an emoji \ud83d", {"odd": {}}, True, -7.25)


@dataclass(frozen=True)
class Member:
    """One member: its position in the message, and its value as written."""

    path: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        """Name it for a test."""
        return ".".join(self.path)


def members(words: bytes) -> Sequence[Member]:
    """Return all members without nested members."""
    parsed = _parsed(words)
    if parsed is not None:
        return list(_leaves(parsed, ()))
    pairs = [pair.partition("=") for pair in words.decode("latin-1").split("&")]
    return [Member((name,), unquote_plus(value)) for name, _, value in pairs if name]


def changed(words: bytes, member: Member, value: object) -> bytes:
    """Return the message with another value of this member."""
    parsed = _parsed(words)
    if parsed is None:
        pairs = [pair.partition("=") for pair in words.decode("latin-1").split("&")]
        texts = [
            f"{name}={quote_plus(str(value)) if (name,) == member.path else old}"
            for name, _, old in pairs
        ]
        return "&".join(texts).encode("latin-1")
    place = parsed
    for name in member.path[:-1]:
        place = place[name]
    place[member.path[-1]] = value
    return json.dumps(parsed).encode()


def another(member: Member) -> object:
    """Return another value of the same kind."""
    value = member.value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x"


def odd_values(words: bytes) -> Sequence[object]:
    """Return values that are invalid for every descriptive fact, if the format allows them."""
    return ODD_TEXTS if _parsed(words) is None else ODD_JSON


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[Member]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif path:
        yield Member(path, value)


def _parsed(words: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(words)
    except ValueError:
        return None
