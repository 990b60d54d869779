"""What the fields of the contract share: text that every store can hold, and descriptions."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

MAX_TEXT = 512
"""Maximum number of characters of each text field except in `raw`."""

# Control characters (PostgreSQL cannot store NUL, logs must not contain others) and lone surrogates
# (which UTF-8 cannot encode).
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


STORABLE = "text without control characters or lone surrogates"
"""What `storable` accepts, for error messages."""


def is_storable(text: str) -> bool:
    """Return whether a store and a log can hold the text."""
    # Printable text has none of them; other text, such as a no-break space, may have one.
    return text.isprintable() or _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """Return the text, or raise ValueError if a store or a log could not hold it."""
    if not is_storable(text):
        raise ValueError(STORABLE)
    return text


def text_of(detail: str) -> str:
    """Make any text valid for a field of the contract: escaped to ASCII, truncated, never empty."""
    if detail and len(detail) <= MAX_TEXT and is_storable(detail):
        return detail
    return ascii(detail)[1:-1][:MAX_TEXT] or "-"


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(storable)]


def described(text: str, *examples: object) -> Any:  # noqa: ANN401 - metadata of `Annotated`
    """Return the metadata of a field; every example has the field's form in JSON."""
    return Field(description=text, examples=list(examples))
