"""One message, with its text as it would be sent now."""

from dataclasses import replace
from typing import cast
from uuid import UUID

from consumers.console.pages.books.messages import filter_of, problem_of
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.problems import NotThere
from consumers.console.web.visit import ConsoleVisit
from consumers.notifications.options import NotificationOptions
from consumers.notifications.reading import MessageRow, list_messages
from consumers.notifications.sending.preview import preview_of
from consumers.notifications.sending.rendering import Rendered, TextsError
from router.terminal.typed import typed

PERSONAL = ("from_address", "to_address")
"""Facts of a message that are personal data: addresses of wallets."""


async def show_message(visit: ConsoleVisit) -> PageAnswer:
    """Show a message; raises NotThere, also for one of another merchant."""
    row = await _found(visit)
    options = cast("NotificationOptions", visit.sources.consumers["notifications"].settings.options)
    text, problem = _text(visit, options, row)
    values = {"row": row, "text": text, "text_problem": problem, "error": problem_of(visit, row)}
    command = typed("payrouter notifications show", (str(row.id),))
    return Html("books/message.html", values, command)


async def _found(visit: ConsoleVisit) -> MessageRow:
    try:
        number = UUID(visit.part("id"))
    except ValueError:
        raise NotThere from None
    wanted = replace(filter_of(visit, {}), ids=(number,))
    async with visit.reading("notifications") as connection:
        found = await list_messages(connection, wanted)
    if not found:
        raise NotThere
    return found[0]


def _text(
    visit: ConsoleVisit, options: NotificationOptions, row: MessageRow
) -> tuple[Rendered | None, str]:
    hidden = () if visit.viewer.personal else PERSONAL
    try:
        return preview_of(options, row, hidden), ""
    except TextsError as problem:
        return None, str(problem)
