"""How far a consumer has applied each partition, as `payrouter offsets show` prints it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from consumers.runtime.command import show_table
from consumers.runtime.offsets import FenceRow

COLUMNS = ("partition", "next", "applied", "duplicate", "stale", "parked", "dead", "gaps", "moved")

_FENCE_WORDS = """\
next: the offset to apply next. duplicate: the event was known already. stale: it came
too late to change anything. parked, dead: held back, whatever became of it since.
gaps: offsets that hold no record."""


def show_fences(name: str, fences: Sequence[FenceRow], *, every: bool) -> None:
    """Print a table per cluster, the one consumed last at the end, or that one alone."""
    clusters: dict[str, list[FenceRow]] = {}
    for row in sorted(fences, key=lambda row: row.updated_at):
        clusters[row.cluster_id] = [*clusters.pop(row.cluster_id, []), row]
    if not clusters:
        click.echo(f"{name} has not consumed anything yet")
        return
    shown = list(clusters) if every else list(clusters)[-1:]
    for cluster in shown:
        title = f"{name}, Kafka cluster {cluster}"
        rows = sorted(clusters[cluster], key=_place)
        show_table(title, COLUMNS, map(_cells, rows), numbers=COLUMNS[1:-1])
    click.echo(_FENCE_WORDS)
    if len(shown) < len(clusters):
        click.echo(f"{len(clusters) - 1} clusters consumed before are left out; --all shows them")


def _place(row: FenceRow) -> tuple[str, int]:
    return (row.topic, row.partition)


def _cells(row: FenceRow) -> Sequence[object]:
    held = (row.parked, row.dead_lettered)
    numbers = (row.next_offset, row.applied, row.duplicate, row.stale, *held, row.gaps)
    return (f"{row.topic}-{row.partition}", *numbers, _ago(datetime.now(UTC) - row.updated_at))


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
