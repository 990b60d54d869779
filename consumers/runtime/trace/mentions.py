"""Whether bytes of unknown make speak of an order, a payment or a transaction."""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


class Mentions:
    """Looks for texts as whole words: `A-1` is not in `A-10`, nor in `BA-1`."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Look for these, written as they are, in JSON or in a form."""
        spelled = {way for text in texts for way in _spellings(text)}
        words = b"|".join(re.escape(each.encode()) for each in sorted(spelled))
        self._pattern = re.compile(rb"(?<![\w-])(?:" + words + rb")(?![\w-])") if words else None

    def within(self, body: bytes) -> bool:
        """Tell whether any of them is in there."""
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
