"""Validates that a text is the address of exactly one mailbox.

An address from a gateway or a platform ends up in a mail header. A line feed, a
comma or a display name there could turn one message into several, or into a
different one.
"""

import re

MAX_ADDRESS = 254
MAX_LOCAL = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+{_LABEL}")


def mailbox(text: str | None) -> str | None:
    """Return the text if it is one plain address (`a.b+c@example.com`), else None.

    Refuses display names, comments, quotes, lists and non-ASCII characters.
    """
    match = _MAILBOX.fullmatch(text or "")
    if match is None or len(match[0]) > MAX_ADDRESS or len(match[1]) > MAX_LOCAL:
        return None
    return match[0]
