"""Cursors: the key of the last row that was shown, as text for a URL."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from consumers.console.web.problems import WrongInput


def cursor_of(*key: object) -> str:
    """Return the cursor of a row's key; moments and ids become text."""
    text = json.dumps([each if isinstance(each, int) else str(each) for each in key])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def read_cursor(cursor: str, kinds: Sequence[type[Any] | Any]) -> list[Any]:
    """Return a key from its cursor, converted by `kinds`; raises WrongInput.

    A kind is `int`, `str`, or a function such as `datetime.fromisoformat` and `UUID`.
    """
    field, expected = "after", "the link of a page of this list"
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = json.loads(text)
        return [kind(each) for kind, each in zip(kinds, key, strict=True)]
    except (ValueError, TypeError, AttributeError, KeyError):
        raise WrongInput(field, expected) from None
