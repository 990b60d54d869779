"""One transaction with its postings, and the event or transfer behind it."""

import json

from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.problems import NotThere
from consumers.console.web.visit import ConsoleVisit
from consumers.ledger.reading.event import read_event, read_evidence
from consumers.ledger.reading.selection import LineFilter
from consumers.ledger.reading.statement import read_transaction
from router.terminal.typed import typed


async def show_transaction(visit: ConsoleVisit) -> PageAnswer:
    """Show a transaction; raises NotThere, also for one of another merchant."""
    number = visit.number("number")
    async with visit.reading("ledger") as connection:
        lines = LineFilter(merchants=visit.viewer.accounts)
        found = await read_transaction(connection, number, lines)
        if found is None:
            raise NotThere
        event = body = None
        if found.event_id is not None:
            event = await read_event(connection, found.event_id)
            if visit.viewer.personal:
                body = await read_evidence(connection, found.event_id)
    shown = None if body is None else json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    command = typed("payrouter ledger statement", (), {"--below": str(number + 1), "--limit": "1"})
    return Html("books/transaction.html", {"found": found, "event": event, "body": shown}, command)
