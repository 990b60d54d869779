"""The first page: which consumer is stuck, since when, and what it holds back."""

from collections.abc import Mapping

from consumers.console.access.viewer import Role
from consumers.console.listing.listing import ListColumn, ListedRows, Listing, ListQuestion
from consumers.console.pages.groups.survey import PartitionRow, survey_of
from consumers.console.pages.groups.waiting import held_back
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.visit import ConsoleVisit
from router.terminal.typed import typed


async def show_groups(visit: ConsoleVisit) -> PageAnswer:
    """Show every consumer."""
    return Html("groups/index.html", await _values(visit), typed("payrouter offsets show"))


async def show_groups_now(visit: ConsoleVisit) -> PageAnswer:
    """Return the part of the page that changes."""
    return Html("groups/now.html", await _values(visit))


async def _values(visit: ConsoleVisit) -> Mapping[str, object]:
    return {
        "progress": await survey_of(visit).progress(visit),
        "held_back": await held_back(visit),
        "acts": visit.may_act(Role.OPERATOR, None),
    }


def make_partition_listing() -> Listing[PartitionRow]:
    """Return the list of all partitions of all consumers."""
    return Listing(
        name="partitions",
        title="groups.partitions.title",
        columns=(
            ListColumn("consumer", "groups.column.consumer", lambda _, row: row.consumer),
            ListColumn("partition", "groups.column.partition", lambda _, row: row.name),
            ListColumn("state", "groups.column.state", lambda _, row: row.standing.state.value),
            ListColumn("since", "groups.column.since", lambda _, row: row.since),
            ListColumn("next_offset", "groups.column.next", _next, numeric=True),
            ListColumn("log_end", "groups.column.end", _end, numeric=True),
            ListColumn("lag", "groups.column.lag", _lag, numeric=True),
            ListColumn("lag_seconds", "groups.column.lag_seconds", _seconds, numeric=True),
            ListColumn("member", "groups.column.member", lambda _, row: row.standing.member),
            ListColumn("command", "groups.column.command", lambda _, row: row.command),
        ),
        read=_partitions,
        command=lambda _visit, _filters: typed("payrouter offsets show", (), None, ["--all"]),
        live=True,
    )


async def _partitions(visit: ConsoleVisit, _question: ListQuestion) -> ListedRows[PartitionRow]:
    progress = await survey_of(visit).progress(visit)
    return ListedRows(progress.rows, note=" ".join(progress.problems))


def _next(_visit: ConsoleVisit, row: PartitionRow) -> object:
    return row.standing.next_offset


def _end(_visit: ConsoleVisit, row: PartitionRow) -> object:
    return None if row.standing.bounds is None else row.standing.bounds.end


def _lag(_visit: ConsoleVisit, row: PartitionRow) -> object:
    return row.standing.behind.records


def _seconds(_visit: ConsoleVisit, row: PartitionRow) -> object:
    return None if row.seconds is None else int(row.seconds)
