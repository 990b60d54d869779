"""`payrouter offsets show`: how far consumers are, and whether they move."""

import logging
import sys
from collections.abc import Mapping, Sequence

import click

from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.commands.one_consumer import EXIT_PROBLEM, answered, json_option, show_json
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.picture import Behind
from consumers.runtime.progress.reading import Standings, StoreReading, read_standings, read_stores
from consumers.runtime.progress.screen import screen, show_counts, show_standings
from consumers.runtime.progress.standing import ProgressState, Standing
from consumers.runtime.records import Partition


@click.command("show")
@click.option("--all", "every", is_flag=True, help="Also idle partitions and earlier clusters.")
@click.option("--counts", is_flag=True, help="Show how many records were applied, stale, parked …")
@click.option(
    "--stuck-after",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a record may wait while nothing is applied.",
)
@json_option
@click.pass_obj
def show(
    consumers: Sequence[Consumer],
    *,
    every: bool,
    counts: bool,
    stuck_after: float,
    as_json: bool,
) -> None:
    """Show how far NAME, or every consumer, is on each partition, and whether it moves.

    Exits with 1 if a partition needs attention, or the broker does not answer.
    """
    # What goes wrong with the broker is said in our own line alone.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    stores, found = answered(_read(consumers, stuck_after))
    earlier = {store.consumer.service.name: _earlier(store, found) for store in stores}
    if as_json:
        show_json({name: _as_json(each, earlier[name]) for name, each in found.of.items()})
    else:
        for name, standings in found.of.items():
            _show(name, standings, earlier[name], every=every, counts=counts)
    _say_what_is_unknown(found)
    trouble = any(each.trouble for standings in found.of.values() for each in standings)
    sys.exit(EXIT_PROBLEM if trouble or found.away or found.problems else 0)


async def _read(
    consumers: Sequence[Consumer], stuck_after: float
) -> tuple[Sequence[StoreReading], Standings]:
    stores = await read_stores(consumers)
    return stores, await read_standings(stores, stuck_after)


def _earlier(store: StoreReading, found: Standings) -> Mapping[str, Sequence[FenceRow]]:
    """Return the fences of clusters consumed before, the one left first at the beginning."""
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
    """Give the row of a cluster that is not asked the shape of the others."""
    partition = Partition(row.topic, row.partition)
    return Standing(row.cluster_id, partition, row, None, Behind(), None, ProgressState.UNKNOWN)


def _show(
    name: str,
    standings: Sequence[Standing],
    earlier: Mapping[str, Sequence[FenceRow]],
    *,
    every: bool,
    counts: bool,
) -> None:
    console = screen()
    for rows in earlier.values() if every else ():
        show_counts(console, name, sorted(rows, key=lambda row: (row.topic, row.partition)))
    fences = [each.fence for each in standings if each.fence is not None]
    if counts and fences:
        show_counts(console, name, fences)
    else:
        show_standings(console, name, standings, idle_too=every)
    if earlier and not every:
        click.echo(f"{len(earlier)} clusters consumed before are left out; --all shows them")


def _say_what_is_unknown(found: Standings) -> None:
    """Say in a line why cells are unknown; a broker that cannot describe groups is no fault."""
    if found.away is not None:
        click.echo(f"the broker could not be asked, its part is ?: {found.away}", err=True)
    elif found.problems:
        click.echo(f"the broker did not answer everything: {'; '.join(found.problems)}", err=True)
    elif any(each.member is None for standings in found.of.values() for each in standings):
        click.echo("the broker does not describe groups, so member is ?", err=True)
