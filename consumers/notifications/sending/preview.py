"""Renders a stored message as it would be sent now."""

import json
from collections.abc import Collection

from consumers.notifications.options import NotificationOptions
from consumers.notifications.reading import MessageRow
from consumers.notifications.rules import CUSTOMER
from consumers.notifications.sending.rendering import Rendered, open_texts

HIDDEN = "***"


def preview_of(
    options: NotificationOptions, row: MessageRow, hidden: Collection[str] = ()
) -> Rendered:
    """Render a message; known facts with a name in `hidden` are replaced.

    Raises TextsError if its text is invalid.
    """
    texts = open_texts(options.templates, options.language)
    audience = CUSTOMER if row.recipient == CUSTOMER else "operator"
    facts = json.loads(row.facts)
    masked = {name: HIDDEN for name in hidden if facts.get(name) is not None}
    return texts.render(audience, row.kind, row.language, {**facts, **masked})
