"""Shows how far consumers are, and whether they advance."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click

from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.picture import Behind
from consumers.runtime.progress.reading import Standings, StoreReading, read_standings, read_stores
from consumers.runtime.progress.screen import show_counts, show_standings
from consumers.runtime.progress.standing import ProgressState, Standing
from consumers.runtime.progress.survey import SurveyLimits
from consumers.runtime.records import Partition
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import console, quiet_aiokafka, show_json
from router.terminal.processes import run_async


@dataclass(frozen=True)
class OffsetsView:
    """What to show: all partitions, counts instead of offsets, and when one is stuck.

    `limits` are the time-outs for reading it.
    """

    every: bool
    counts: bool
    stuck_after: float
    limits: SurveyLimits = field(default_factory=SurveyLimits)


def show_offsets(consumers: Sequence[Consumer], view: OffsetsView, *, as_json: bool) -> None:
    """Print a table per consumer; exits with status 1 if a partition needs attention."""
    quiet_aiokafka()
    stores, found = run_async(_read(consumers, view))
    earlier = {store.consumer.service.name: _earlier(store, found) for store in stores}
    if as_json:
        show_json({name: _as_json(each, earlier[name]) for name, each in found.of.items()})
    else:
        for name, standings in found.of.items():
            _show(name, standings, earlier[name], view)
    _report_unknown(found)
    trouble = any(each.trouble for standings in found.of.values() for each in standings)
    sys.exit(EXIT_PROBLEM if trouble or found.away or found.problems else 0)


async def _read(
    consumers: Sequence[Consumer], view: OffsetsView
) -> tuple[Sequence[StoreReading], Standings]:
    stores = await read_stores(consumers)
    return stores, await read_standings(stores, view.stuck_after, view.limits)


def _earlier(store: StoreReading, found: Standings) -> Mapping[str, Sequence[FenceRow]]:
    """Return the fences of clusters consumed before, the earliest first."""
    now = {each.cluster_id for each in found.of[store.consumer.service.name]}
    clusters: dict[str, list[FenceRow]] = {}
    for row in sorted(store.fences, key=lambda row: row.updated_at):
        if row.cluster_id not in now:
            clusters[row.cluster_id] = [*clusters.pop(row.cluster_id, []), row]
    return clusters


def _as_json(
    standings: Sequence[Standing], earlier: Mapping[str, Sequence[FenceRow]]
) -> Sequence[dict[str, object]]:
    before = [_left(row) for rows in earlier.values() for row in rows]
    return [each.as_json() for each in (*before, *standings)]


def _left(row: FenceRow) -> Standing:
    """Return the row of an earlier cluster, which is not queried, in the form of the others."""
    partition = Partition(row.topic, row.partition)
    return Standing(row.cluster_id, partition, row, None, Behind(), None, ProgressState.UNKNOWN)


def _show(
    name: str,
    standings: Sequence[Standing],
    earlier: Mapping[str, Sequence[FenceRow]],
    view: OffsetsView,
) -> None:
    out = console()
    for rows in earlier.values() if view.every else ():
        show_counts(out, name, sorted(rows, key=lambda row: (row.topic, row.partition)))
    fences = [each.fence for each in standings if each.fence is not None]
    if view.counts and fences:
        show_counts(out, name, fences)
    else:
        show_standings(out, name, standings, idle_too=view.every)
    if earlier and not view.every:
        click.echo(f"{len(earlier)} clusters consumed before are left out; --all shows them")


def _report_unknown(found: Standings) -> None:
    """Report why cells are unknown; a broker need not be able to describe groups."""
    if found.away is not None:
        click.echo(f"the broker could not be queried, its part is ?: {found.away}", err=True)
    elif found.problems:
        click.echo(f"the broker did not answer everything: {'; '.join(found.problems)}", err=True)
    elif any(each.member is None for standings in found.of.values() for each in standings):
        click.echo("the broker does not describe groups, so each member is shown as ?", err=True)
