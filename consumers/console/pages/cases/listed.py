"""The list of cases: its columns, and a page of it."""

from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    Listing,
    ListQuestion,
)
from consumers.console.pages.cases.question import (
    FILTERS,
    asked_consumers,
    case_filter,
    key_after,
    list_command,
)
from consumers.console.pages.cases.reading import away_note, gathered
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.entry import CaseEntry, entries_of
from consumers.runtime.casebook.wording import facts_text


async def read_page(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[CaseEntry]:
    """Return the cases after the cursor, the oldest first."""
    filters = question.filters
    wanted = case_filter(visit, filters, question.after, question.limit + 1)
    found = await gathered(visit, wanted, asked_consumers(filters))
    shown = found.cases[: question.limit]
    more = len(found.cases) > question.limit
    after = key_after(shown[-1]) if more else None
    return ListedRows(entries_of(shown), after, away_note(visit, found))


def make_listing() -> Listing[CaseEntry]:
    """Return the list; a row is one case, or one record that several consumers hold."""
    return Listing(
        name="cases",
        title="cases.title",
        columns=(
            ListColumn("case", "cases.column.case", lambda _, row: row.id, "case"),
            ListColumn("kind", "cases.column.kind", lambda _, row: row.kind.name, "kind"),
            ListColumn("severity", "cases.column.severity", lambda _, row: row.kind.severity.value),
            ListColumn("account", "cases.column.account", lambda _, row: row.first.account),
            ListColumn("order", "cases.column.order", lambda _, row: _order(row), "order"),
            ListColumn("since", "cases.column.since", lambda _, row: row.since),
            ListColumn("assigned_to", "cases.column.assigned", lambda _, row: row.assignee),
            ListColumn(
                "facts", "cases.column.facts", lambda visit, row: visit.free_text(facts_text(row))
            ),
            ListColumn(
                "consumers", "cases.column.consumers", lambda _, row: ", ".join(row.consumers)
            ),
        ),
        read=read_page,
        command=list_command,
        filters=FILTERS,
        macros="cases/cells.html",
        template="cases/list.html",
        select=lambda row: row.id,
    )


def _order(entry: CaseEntry) -> str | None:
    return entry.first.reference or entry.first.provider_reference
