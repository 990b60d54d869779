"""The table of `payrouter offsets show`: one row per partition, 80 columns wide."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.progress.standing import MEANINGS, ProgressState, Standing
from router.terminal.ages import age_text

COLUMNS = ("partition", "next", "end", "lag", "member", "state", "moved")
COUNTED = ("partition", "next", "applied", "duplicate", "stale", "parked", "dead", "gaps", "moved")

_COUNT_WORDS = """\
next: the offset to apply next. duplicate: the event was applied before. stale: it came
too late to change anything. parked, dead: held back, including records resolved since.
gaps: offsets without a record."""

_LEFT = {"partition", "member", "state"}


def show_standings(
    console: Console, name: str, standings: Sequence[Standing], *, idle_too: bool
) -> None:
    """Print a consumer's partitions; without `idle_too`, only count the idle ones."""
    if not standings:
        console.print(Text(f"{name} has not consumed anything yet"))
        return
    shown = [each for each in standings if idle_too or each.state is not ProgressState.IDLE]
    title = f"{name}, Kafka cluster {standings[0].cluster_id}"
    if shown:
        _table(console, title, COLUMNS, map(_cells, shown))
    else:
        console.print(Text(title))
    idle = len(standings) - len(shown)
    if idle:
        which = "1 partition is idle" if idle == 1 else f"{idle} partitions are idle"
        console.print(Text(f"{which}: nothing waits there; --all shows them"))
    for state, meaning in MEANINGS.items():
        if any(each.state is state for each in shown):
            console.print(Text(f"{state}: {meaning.replace('NAME', name)}"))


def show_counts(console: Console, name: str, rows: Sequence[FenceRow]) -> None:
    """Print the outcomes of the records, for one cluster."""
    if rows:
        title = f"{name}, Kafka cluster {rows[0].cluster_id}"
        _table(console, title, COUNTED, map(_counts, rows))
        console.print(Text(_COUNT_WORDS))


def _table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )
    for column in columns:
        if column in _LEFT:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        # As Text: a topic's name might look like rich's markup.
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)


def _cells(standing: Standing) -> Sequence[object]:
    end = standing.bounds.end if standing.bounds is not None else None
    fence = standing.fence
    return (
        standing.partition,
        _known(standing.next_offset),
        _known(end),
        _known(standing.behind.records),
        _known(standing.member) or "-",
        standing.state,
        "-" if fence is None else ago(datetime.now(UTC) - fence.updated_at),
    )


def _counts(row: FenceRow) -> Sequence[object]:
    held = (row.parked, row.dead_lettered)
    numbers = (row.next_offset, row.applied, row.duplicate, row.stale, *held, row.gaps)
    return (f"{row.topic}-{row.partition}", *numbers, ago(datetime.now(UTC) - row.updated_at))


def _known(value: object) -> object:
    return "?" if value is None else value


def ago(age: timedelta) -> str:
    """Format an age in its largest unit."""
    return f"{age_text(age)} ago"
