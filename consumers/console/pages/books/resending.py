"""Sends messages again: those selected, or all that failed or were skipped and match."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.pages.books.messages import filter_of
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.notifications.reading import MessageFilter, list_messages
from consumers.notifications.sending.resending import resend_recorded
from consumers.notifications.tables import FAILED, SKIPPED
from router.terminal.typed import typed

MOST: Final = 1000
"""Messages that one action sends again at most."""

_LINES: Final = 20
_FILTERS: Final = ("state", "order", "channel", "kind", "account")


def _wanted(visit: ConsoleVisit, given: FormFields) -> MessageFilter:
    """Return which messages are named: by their ids, or by filters that name a state."""
    ids = given.every("id")
    filters = {name: given.one(name) for name in _FILTERS if given.one(name)}
    if not ids and filters.get("state") not in {FAILED, SKIPPED}:
        name = "state"
        raise WrongInput(name, f"{FAILED}, {SKIPPED}")
    wanted = replace(filter_of(visit, {} if ids else filters), resendable=True, limit=MOST)
    return replace(wanted, ids=_uuids(ids)) if ids else wanted


def _uuids(texts: Sequence[str]) -> tuple[UUID, ...]:
    try:
        return tuple(UUID(each) for each in texts)
    except ValueError:
        name = "id"
        raise WrongInput(name, "ids of messages") from None


async def preview(visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    """Return the messages that would be sent again."""
    async with visit.reading("notifications") as connection:
        found = (await list_messages(connection, _wanted(visit, given)))[::-1]
    lines = [
        f"{row.kind}, {row.order or row.account}: {row.recipient}, {row.channel}"
        for row in found[:_LINES]
    ]
    ids = [str(row.id) for row in found]
    return ActionPreview(
        count=len(found),
        accounts=frozenset(row.account for row in found),
        lines=lines,
        command=typed("payrouter notifications resend", ids[:_LINES]) if ids else "",
        warning=visit.text("books.resend.most", most=MOST) if len(found) == MOST else "",
        fields=FormFields(tuple(("id", each) for each in ids)),
    )


async def run(visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    """Make the messages due again, with a record of the operation."""
    wanted = _wanted(visit, given)
    async with visit.acting("notifications") as engine, engine.begin() as transaction:
        chosen = [row.id for row in await list_messages(transaction, wanted)]
        done = await resend_recorded(transaction, chosen, visit.who, {"reason": reason})
    left = len(chosen) - len(done)
    sentence = visit.count("books.resend.done", len(done))
    if left:
        sentence = f"{sentence} {visit.count('books.resend.left', left)}"
    return ActionDone(sentence, "/books/messages")


RESEND = ConsoleAction(
    name="resend",
    key="books.resend",
    needs=Role.OPERATOR,
    preview=preview,
    run=run,
    back="/books/messages",
)
