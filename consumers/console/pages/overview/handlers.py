"""Handler of the first page."""

from consumers.console.pages.overview.glance import at_a_glance
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.visit import ConsoleVisit
from router.terminal.typed import typed


async def show(visit: ConsoleVisit) -> PageAnswer:
    """Show the box of the search, the other pages, and what needs attention now."""
    values = {"glance": await at_a_glance(visit)}
    return Html("overview/index.html", values, typed("payrouter cases list"))
