"""Searches bytes of any format for mentions of an order, a payment or a transaction."""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


class Mentions:
    """Finds texts as whole words: `A-1` is found neither in `A-10` nor in `BA-1`."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Search for these texts: plain, as escaped in JSON, or as encoded in a form."""
        spelled = {way for text in texts for way in _spellings(text)}
        words = b"|".join(re.escape(each.encode()) for each in sorted(spelled))
        self._pattern = re.compile(rb"(?<![\w-])(?:" + words + rb")(?![\w-])") if words else None

    def within(self, body: bytes) -> bool:
        """Return whether the body has any of the texts."""
        return self._pattern is not None and self._pattern.search(body) is not None


def _spellings(text: str) -> Iterable[str]:
    escaped = text.encode("unicode_escape").decode()
    return {
        text,
        quote(text, safe=""),
        quote_plus(text, safe=""),
        escaped,
        text.replace("/", "\\/"),
    }
