"""Which text is the address of exactly one mailbox.

What a gateway or a platform says of a customer ends up in a mail's header: no
line feed, no comma and no name may get there, or one message would become
several, or another one.
"""

import re

MAX_ADDRESS = 254
MAX_LOCAL = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+{_LABEL}")


def mailbox(text: str | None) -> str | None:
    """Return the text where it is one plain address (`a.b+c@example.com`), None where it is not.

    No display name, no comment, no quotes, no list, ASCII only.
    """
    match = _MAILBOX.fullmatch(text or "")
    if match is None or len(match[0]) > MAX_ADDRESS or len(match[1]) > MAX_LOCAL:
        return None
    return match[0]
