"""Finds partitions on which consumers are blocked: the event may be in records not read yet."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from consumers.runtime.configured import Consumer
from consumers.runtime.progress.reading import Standings, read_standings, read_stores
from consumers.runtime.progress.standing import ProgressState, Standing
from consumers.runtime.progress.survey import SurveyLimits

STUCK_SECONDS = 30.0
"""How long a record may wait while nothing is applied, before the consumer counts as stuck."""


async def held_up(consumers: Sequence[Consumer]) -> Standings:
    """Read stores and broker. Raises StoreUnavailable."""
    return await read_standings(await read_stores(consumers), STUCK_SECONDS, SurveyLimits())


def notes_of(standings: Standings) -> Sequence[str]:
    """List the partitions with records that a consumer cannot reach."""
    return [*_withheld(standings), *_others(standings)]


def blocked_partition(standings: Standings, name: str, topics: Iterable[str]) -> str | None:
    """Return the first partition of some topics on which a consumer is blocked, with the state."""
    wanted = set(topics)
    for each in _held_up(standings.of.get(name, ())):
        if each.partition.topic in wanted:
            return f"{each.partition} ({each.state})"
    return None


def _withheld(standings: Standings) -> Iterable[str]:
    """Yield one note per partition, since it affects every consumer."""
    found: Mapping[object, Standing] = {
        each.partition: each
        for rows in standings.of.values()
        for each in rows
        if each.state is ProgressState.WITHHELD
    }
    for partition, each in found.items():
        if each.bounds is not None:
            yield (
                f"{partition}: an open transaction withholds"
                f" {each.bounds.end - each.bounds.stable} records from offset"
                f" {each.bounds.stable} on; an event among them has reached no consumer yet"
            )


def _others(standings: Standings) -> Iterable[str]:
    """Yield one note per consumer and state: a stopped consumer is blocked on all partitions."""
    for name, rows in standings.of.items():
        by_state: dict[ProgressState, list[Standing]] = defaultdict(list)
        for each in _held_up(rows):
            if each.state is not ProgressState.WITHHELD:
                by_state[each.state].append(each)
        for state, found in by_state.items():
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield (
                f"{name} is blocked on {found[0].partition}{more} ({state}); an event there has"
                f" not reached it: payrouter offsets show {name}"
            )


def _held_up(rows: Iterable[Standing]) -> Iterable[Standing]:
    """Yield the partitions with waiting records that need action or the end of a transaction."""
    for each in rows:
        held = each.trouble or each.state is ProgressState.WITHHELD
        if held and each.behind.records != 0:
            yield each
