"""Cursors: the key of the last row that was shown, as text for a URL."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from consumers.console.web.problems import WrongInput

_NUMBERS: Final = 1 << 63


def cursor_of(*key: object) -> str:
    """Return the cursor of a row's key; moments and ids become text."""
    text = json.dumps([each if isinstance(each, int) else str(each) for each in key])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def aware_moment(text: str) -> datetime:
    """Return a moment with its time zone; raises ValueError for one without."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found


def row_number(number: int) -> int:
    """Return the number of a row; raises ValueError for one that no column can hold."""
    if not 0 <= int(number) < _NUMBERS:
        raise ValueError
    return int(number)


def read_cursor(cursor: str, kinds: Sequence[type[Any] | Any]) -> list[Any]:
    """Return a key from its cursor, converted by `kinds`; raises WrongInput.

    A kind is `str`, or a function such as `row_number`, `aware_moment` and `UUID`.
    """
    field, expected = "after", "the link of a page of this list"
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        key = json.loads(text)
        return [kind(each) for kind, each in zip(kinds, key, strict=True)]
    except (ValueError, TypeError, AttributeError, KeyError):
        raise WrongInput(field, expected) from None
