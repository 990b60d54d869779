"""Handlers of the page."""

from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.visit import ConsoleVisit


async def show(_visit: ConsoleVisit) -> PageAnswer:
    """Show that the page is not there yet."""
    return Html("cases/index.html")
