"""One held record: why it is held, and its content if the viewer may see it."""

from consumers.console.access.viewer import Role
from consumers.console.pages.groups.held_rows import one_held
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.fate import Fate
from router.terminal.typed import typed


async def show_held_record(visit: ConsoleVisit) -> PageAnswer:
    """Show one held record."""
    entry, inside = await one_held(visit, visit.part("consumer"), visit.number("number"))
    row = entry.row
    parked = row.state == Fate.PARKED.value
    values = {
        "entry": entry,
        "row": row,
        "parts": inside.readable() if visit.viewer.personal else None,
        "action": "retry" if parked else "replay",
        "acts": visit.may_act(Role.OPERATOR, row.account) and (parked or row.is_whole),
    }
    command = typed("payrouter dlq show", [entry.consumer, str(row.id)])
    return Html("groups/record.html", values, command)
