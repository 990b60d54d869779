"""A page with a list and an action that read no database, to test what all pages share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.acting.routes import action_routes
from consumers.console.listing.cursors import cursor_of, read_cursor
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.listing.routes import listing_routes
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.form_fields import FormFields
from consumers.console.web.page import ConsolePage, PageRoute
from consumers.console.web.visit import ConsoleVisit
from router.terminal.typed import typed

TEXTS = {"sample.close.title": "Close", "sample.close.explain": "x", "sample.close.button": "OK"}
"""The texts of its action."""


@dataclass(frozen=True)
class SampleRow:
    """A row: its number, whose it is, a text, an amount."""

    number: int
    account: str
    text: str
    amount: Decimal


@dataclass
class SamplePage:
    """Rows of the list, and what the action was given so far: name, numbers, reason."""

    rows: list[SampleRow]
    done: list[tuple[str, Sequence[str], str]] = field(default_factory=list)
    questions: list[ListQuestion] = field(default_factory=list)

    def page(self) -> ConsolePage:
        """Return the page, instead of that of the cases."""
        listing = Listing[SampleRow](
            name="sample",
            title="cases.title",
            columns=(
                ListColumn("number", "web.yes", lambda _visit, row: row.number, numeric=True),
                ListColumn("text", "web.no", lambda visit, row: visit.personal(row.text)),
                ListColumn("amount", "web.product", lambda _visit, row: row.amount),
            ),
            filters=(ListFilter("text", "web.no"),),
            read=self._read,
            command=lambda _visit, filters: typed(
                "cases list", options={f"--{key}": value for key, value in filters.items()}
            ),
            live=True,
            limit=10,
        )
        action = ConsoleAction(
            name="close",
            key="sample.close",
            needs=Role.OPERATOR,
            preview=self._preview,
            run=self._run,
            back="/cases",
        )
        broken = PageRoute("/broken", self._broken)
        return ConsolePage("cases", (*listing_routes(listing), *action_routes(action), broken))

    async def _read(self, visit: ConsoleVisit, question: ListQuestion) -> ListedRows[SampleRow]:
        self.questions.append(question)
        after = read_cursor(question.after, (int,))[0] if question.after else -1
        wanted = question.filters.get("text")
        found = [
            row
            for row in self._visible(visit)
            if row.number > after and (wanted is None or row.text == wanted)
        ]
        shown = found[: question.limit]
        more = cursor_of(shown[-1].number) if len(found) > len(shown) else None
        return ListedRows(shown, more)

    async def _preview(self, visit: ConsoleVisit, given: FormFields) -> ActionPreview:
        found = [row for row in self._visible(visit) if str(row.number) in given.every("id")]
        return ActionPreview(
            len(found), frozenset(row.account for row in found), [row.text for row in found]
        )

    async def _run(self, visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
        self.done.append((visit.who, given.every("id"), reason))
        return ActionDone(f"closed {len(given.every('id'))}", "/cases")

    async def _broken(self, _visit: ConsoleVisit) -> PageAnswer:
        return Html("missing.html")

    def _visible(self, visit: ConsoleVisit) -> Sequence[SampleRow]:
        accounts = visit.viewer.accounts
        return [row for row in self.rows if accounts is None or row.account in accounts]
