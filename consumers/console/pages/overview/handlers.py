"""Handler of the first page."""

from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.visit import ConsoleVisit


async def show(_visit: ConsoleVisit) -> PageAnswer:
    """Show the box of the search and the other pages."""
    return Html("overview/index.html", command="payrouter doctor")
