"""Masks data about customers for people who may not see it."""

MASK = "•••"


def masked(text: str | None) -> str:
    """Return a text with at most its first character: `j•••`. An address keeps its domain."""
    if not text:
        return ""
    name, at, domain = text.rpartition("@")
    if at and name:
        return f"{name[:1]}{MASK}@{domain}"
    return f"{text[:1]}{MASK}"
