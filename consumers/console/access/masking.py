"""Masks data about customers for people who may not see it."""

import re

MASK = "•••"

_ADDRESS = re.compile(r"[^\s@<>\"'(),:;]+@[^\s@<>\"'(),:;]+")


def masked(text: str | None) -> str:
    """Return a text with at most its first character: `j•••`. An address keeps its domain."""
    if not text:
        return ""
    name, at, domain = text.rpartition("@")
    if at and name:
        return f"{name[:1]}{MASK}@{domain}"
    return f"{text[:1]}{MASK}"


def without_addresses(text: str) -> str:
    """Return a text, such as an error of a mail server, in which every address is masked."""
    return _ADDRESS.sub(lambda found: masked(found[0]), text)
